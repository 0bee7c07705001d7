"""When the passwords of users are rotated, pure: from what the file says to what Secrets Manager takes, and back.

utc         hours of a zone's clock → hours of UTC that lie within them in summer and in winter
calendar    every so many days, on some days of the week → days of the calendar
rules       what Secrets Manager takes, and what it means in words
function    which function does it
asleep      the hours in which a cluster with a pause schedule is awake, and the rotations that would wake it
choice      one user's rules, of all of these

rules_of(TenantUser("shop", rotate_window=RotateWindow((6,), 120, 300, "UTC")), None)
Rules(expression="cron(0 2 ? * SUN#1 *)", hours=3)
"""
