# What the code of the article's DatabaseUserResourceLambda does, statement by statement. It is in Node, and the sandbox
# runs Python alone.
import json
import os

import boto3
import cfnresponse

CLUSTER, SECRET = os.environ["resourceArn"], os.environ["secretArn"]  # noqa: SIM112 - as the template has them
DATA, SECRETS = boto3.client("rds-data"), boto3.client("secretsmanager")


def handler(event, context):
    try:
        print(event)  # noqa: T201
        secret_id = event["ResourceProperties"]["SecretId"]
        login = json.loads(SECRETS.get_secret_value(SecretId=secret_id)["SecretString"])
        username, password = login["username"], login["password"]
        if event["RequestType"] == "Delete":
            run("DROP USER IF EXISTS :username", username=username)
            return cfnresponse.send(event, context, cfnresponse.SUCCESS, None)
        if secret_id != event.get("PhysicalResourceId"):
            run("CREATE USER :username IDENTIFIED BY :password", username=username, password=password)
        run("REVOKE ALL PRIVILEGES, GRANT OPTION FROM :username", username=username)
        for it in event["ResourceProperties"]["Privileges"]:
            grant = f"GRANT {it['Permission']} ON `{it['Database']}`.{it['Table']} TO :username"
            run(grant, username=username)
        return cfnresponse.send(event, context, cfnresponse.SUCCESS, None, secret_id)
    except Exception as error:
        if getattr(error, "response", {}).get("Error", {}).get("Message", "").startswith("Communications link failure"):
            raise
        print(error)  # noqa: T201
        return cfnresponse.send(event, context, cfnresponse.FAILED, None)


def run(sql, **parameters):
    given = [{"name": name, "value": {"stringValue": value}} for name, value in parameters.items()]
    DATA.execute_statement(resourceArn=CLUSTER, secretArn=SECRET, sql=sql, parameters=given)
