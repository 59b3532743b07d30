"""What a small team writes: the same reads as deploy-image makes for a push that brings nothing new."""
import boto3

tagging = boto3.client("resourcegroupstaggingapi")
ecs = boto3.client("ecs")
ecr = boto3.client("ecr")


def handler(event, context):
    repository = event["detail"]["repository-name"]
    arns = [
        it["ResourceARN"]
        for page in tagging.get_paginator("get_resources").paginate(
            ResourceTypeFilters=["ecs:service"], TagFilters=[{"Key": "nightshift:deploy"}]
        )
        for it in page["ResourceTagMappingList"]
    ]
    cluster = arns[0].split("/")[1]
    names = [it.split("/")[2] for it in arns]
    services = []
    for at in range(0, len(names), 10):
        answer = ecs.describe_services(cluster=cluster, services=names[at : at + 10], include=["TAGS"])
        services += answer["services"]
    for definition in {it["taskDefinition"] for it in services}:
        ecs.describe_task_definition(taskDefinition=definition, include=["TAGS"])
    pages = ecr.get_paginator("describe_images").paginate(repositoryName=repository)
    images = [it for page in pages for it in page["imageDetails"]]
    newest = max(images, key=lambda it: it["imagePushedAt"])
    return {"skipped": len(services), "newest": newest["imageTags"]}
