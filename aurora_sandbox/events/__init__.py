"""What is told of what happens: events on EventBridge's default bus, CloudWatch's alarms, SNS's topics behind both."""
