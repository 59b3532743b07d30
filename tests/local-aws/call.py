"""Calls AWS for `cargo verify`: one JSON request in each line of the input, one JSON answer in each line of the output.

    python call.py                   with the credentials and the region of the environment
    python call.py --endpoint URL    to the local AWS and nowhere else

    {"service": "ecs", "operation": "describe_clusters", "parameters": {}}
    {"answer": {...}}  or  {"code": "AccessDeniedException", "message": "..."}

boto3 finds credentials wherever the AWS CLI finds them, and no SDK has to be built into the tests for this.
"""

import argparse
import json
import sys

import boto3
import botocore.exceptions

LOCAL = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "ap-northeast-2"}


class Caller:
    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.session = boto3.Session(**LOCAL) if endpoint else boto3.Session()
        self.clients = {}

    def client(self, service):
        if service not in self.clients:
            self.clients[service] = self.session.client(service, endpoint_url=self.endpoint)
        return self.clients[service]

    def call(self, service, operation, parameters):
        if (service, operation) == ("session", "region"):
            return {"Region": self.session.region_name}
        answer = getattr(self.client(service), operation)(**parameters)
        answer.pop("ResponseMetadata", None)
        if (service, operation) == ("lambda", "invoke"):
            answer["Payload"] = json.loads(answer["Payload"].read() or b"null")
        return answer


def answer_of(caller, request):
    try:
        return {"answer": caller.call(request["service"], request["operation"], request["parameters"])}
    except botocore.exceptions.ClientError as error:
        return {"code": error.response["Error"].get("Code", ""), "message": str(error)}
    except (botocore.exceptions.BotoCoreError, AttributeError) as error:
        return {"code": type(error).__name__, "message": str(error)}


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--endpoint")
    caller = Caller(arguments.parse_args().endpoint)
    for line in sys.stdin:
        print(json.dumps(answer_of(caller, json.loads(line)), default=str), flush=True)


if __name__ == "__main__":
    main()
