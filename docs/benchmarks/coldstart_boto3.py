"""A function of boto3 that makes one call, with the loop that a Lambda runtime has around it."""
import json
import os
import urllib.request

import boto3

tagging = boto3.client("resourcegroupstaggingapi")


def handler(event):
    return len(tagging.get_resources(TagFilters=[{"Key": "nightshift:deploy"}]).get("ResourceTagMappingList", []))


api = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
while True:
    with opener.open(f"{api}/next") as given:
        request, event = given.headers["Lambda-Runtime-Aws-Request-Id"], json.load(given)
    opener.open(f"{api}/{request}/response", data=json.dumps(handler(event)).encode()).close()
