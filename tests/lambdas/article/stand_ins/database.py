# What the code of the article's DatabaseResourceLambda does, statement by statement. It is in Node, and the sandbox
# runs Python alone.
import os

import boto3
import cfnresponse

CLUSTER, SECRET = os.environ["resourceArn"], os.environ["secretArn"]  # noqa: SIM112 - as the template has them
DATA = boto3.client("rds-data")


def handler(event, context):
    try:
        print(event)  # noqa: T201
        name = event["ResourceProperties"]["Name"]
        if event["RequestType"] == "Delete":
            run(f"DROP DATABASE IF EXISTS `{name}`")
            return cfnresponse.send(event, context, cfnresponse.SUCCESS, None)
        if name != event.get("PhysicalResourceId"):
            run(f"CREATE DATABASE `{name}`")
        return cfnresponse.send(event, context, cfnresponse.SUCCESS, {"Server": CLUSTER}, name)
    except Exception as error:
        if getattr(error, "response", {}).get("Error", {}).get("Message", "").startswith("Communications link failure"):
            raise
        print(error)  # noqa: T201
        return cfnresponse.send(event, context, cfnresponse.FAILED, None)


def run(sql):
    DATA.execute_statement(resourceArn=CLUSTER, secretArn=SECRET, sql=sql)
