"""What stories are made of: how to set up a shop, and the picture of it that is compared at the end."""

import hashlib
import json
import re

import emulator
from emulator import ACCOUNT, REGION, call, query

_ID = r"ecs-svc/\d+|\b\d{15,}\b|\b[0-9a-f]{32}\b|\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\.\d{3}Z"
_IDS = re.compile(_ID)
# A headline names objects only where the report of their job could be read.
_MOMENTS = re.compile(r"(?<=were not copied: ).*|\w{3} \d{4}-\d\d-\d\d \d\d:\d\d|\d{4}-\d\d-\d\d[T-][\d:]{5,8}(\.\d+)?Z?|\b(took|data)=\w+|\b\d+ (minutes?|of \d+ min)\b|" + _ID)

# Who hears of it has to do something, or would have been surprised: told at least once, whatever happens.
_MUST_BE_TOLD = ("needs-you", "failed")


def image(repository, tag, seed=None):
    """Pushes an image, and returns its digest."""
    if repository not in _ecr()._repositories:
        call("ecr", "CreateRepository", repositoryName=repository)

    def blob(kind, size):
        digest = hashlib.sha256(f"{kind} {repository} {seed or tag}".encode()).hexdigest()
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": size}

    kind = "application/vnd.oci.image.manifest.v1+json"
    manifest = {"schemaVersion": 2, "mediaType": kind, "config": blob("config.v1+json", 1500),
                "layers": [blob("layer.v1.tar+gzip", 31_000_000)]}
    answer = call("ecr", "PutImage", repositoryName=repository, imageManifest=json.dumps(manifest),
                  imageManifestMediaType=kind, imageTag=tag)
    return answer["image"]["imageId"]["imageDigest"]


def uri(repository, reference):
    return f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{repository}{reference}"


def definition(family, name, image):
    containers = [{"name": name, "image": image, "essential": True}]
    answer = call("ecs", "RegisterTaskDefinition", family=family, networkMode="awsvpc",
                  requiresCompatibilities=["FARGATE"], cpu="512", memory="1024", containerDefinitions=containers)
    return answer["taskDefinition"]["taskDefinitionArn"]


def service(cluster, name, image, tags):
    if cluster not in _ecs()._clusters:
        call("ecs", "CreateCluster", clusterName=cluster)
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}, "maximumPercent": 200,
               "minimumHealthyPercent": 100}
    arn = definition(name, name, image)
    made = call("ecs", "CreateService", cluster=cluster, serviceName=name, taskDefinition=arn, desiredCount=2,
                launchType="FARGATE", deploymentConfiguration=breaker, tags=_pairs(tags, "key", "value"))
    return made["service"]["serviceArn"]


def database(name, tags, cluster=False):
    kind = "Cluster" if cluster else "Instance"
    fields = {f"DB{kind}Identifier": name, "Engine": "aurora-postgresql" if cluster else "postgres",
              "MasterUsername": "codemate", "MasterUserPassword": "not-a-secret"}
    if not cluster:
        fields |= {"DBInstanceClass": "db.t4g.micro", "AllocatedStorage": "20"}
    query("rds", f"CreateDB{kind}", fields | _form(tags))


def instance(name, tags):
    """Launches an EC2 instance, and returns its id."""
    fields = {"ImageId": "ami-0abc", "MinCount": "1", "MaxCount": "1", "TagSpecification.1.ResourceType": "instance"}
    for number, (key, value) in enumerate({"Name": name, **tags}.items(), 1):
        fields |= {f"TagSpecification.1.Tag.{number}.Key": key, f"TagSpecification.1.Tag.{number}.Value": value}
    return query("ec2", "RunInstances", fields).split("<instanceId>")[1].split("<")[0]


def machine(instance, files, runs):
    """Puts these files on an instance, and starts a compose service on it as a person would."""
    import run_command

    run_command.furnish({"id": instance, "files": files, "runs": runs})


def group(name, least, most, desired, tags):
    fields = {"AutoScalingGroupName": name, "MinSize": least, "MaxSize": most, "DesiredCapacity": desired}
    for number, (key, value) in enumerate(tags.items(), 1):
        fields |= {f"Tags.member.{number}.Key": key, f"Tags.member.{number}.Value": value,
                   f"Tags.member.{number}.ResourceId": name, f"Tags.member.{number}.ResourceType": "auto-scaling-group",
                   f"Tags.member.{number}.PropagateAtLaunch": "false"}
    query("autoscaling", "CreateAutoScalingGroup", fields)


def snapshot(database, name, moment, tags):
    import snapshots

    fields = {"DBInstanceIdentifier": database, "DBSnapshotIdentifier": name}
    query("rds", "CreateDBSnapshot", fields | _form(tags))
    snapshots.change(name, moment, "available")


def _pairs(tags, key, value):
    return [{key: name, value: text} for name, text in tags.items()]


def _form(tags):
    fields = {}
    for number, (key, value) in enumerate(tags.items(), 1):
        fields |= {f"Tags.Tag.{number}.Key": key, f"Tags.Tag.{number}.Value": value}
    return fields


def _ecs():
    from ministack.services import ecs
    return ecs


def _ecr():
    from ministack.services import ecr
    return ecr


# ------------------------------------------------------------------------------------------------ the picture


def picture(leave_out=_MOMENTS):
    """`same`: what has to be equal at the end. `counts`: what may not be more. `told`: how often each thing was told.

    Moments and the ids that AWS gives are left out, since a delayed run has others; with `exact` only the ids.
    """

    def plain(text):
        return leave_out.sub("*", text)

    def tags_of(tags):
        pairs = tags.items() if isinstance(tags, dict) else [(it.get("Key", it.get("key")), it.get("Value", it.get("value"))) for it in tags]
        return {key: plain(value) for key, value in sorted(pairs)}

    import history
    import jobs
    import machines
    import scaling
    import scripts
    from ministack.services import autoscaling, budgets, cloudwatch, ec2, ecr, ecs, rds, s3, ssm

    same, counts = {}, {}
    for it in ecs._services.values():
        name = f"service {it['serviceName']}"
        containers = ecs._task_defs[ecs._resolve_td_key(it["taskDefinition"])]["containerDefinitions"]
        counts[f"deployments of {name}"] = _deployments_of(it)
        same[name] = {"desired": it["desiredCount"], "images": [_digest(each["image"]) for each in containers],
                      "rollout": it["deployments"][0]["rolloutState"], "task sets": len(it.get("taskSets", [])),
                      "tags": tags_of(ecs._tags.get(it["serviceArn"], []))}
    for it in scaling._targets.values():
        same[f"target {it['ResourceId']}"] = [it["MinCapacity"], it["MaxCapacity"], it["SuspendedState"]]
    for it in ecs._tasks.values():
        if not str(it.get("group", "")).startswith("service:"):
            family = it["taskDefinitionArn"].rsplit("/", 1)[-1].split(":")[0]
            counts[f"tasks {family}"] = counts.get(f"tasks {family}", 0) + 1
            same[f"tasks {family} running"] = same.get(f"tasks {family} running", 0) + (it["lastStatus"] != "STOPPED")
    for name, it in rds._instances.items():
        same[f"database {name}"] = {"status": it["DBInstanceStatus"], "tags": tags_of(rds._tags.get(it["DBInstanceArn"], []))}
    for name, it in rds._clusters.items():
        same[f"cluster {name}"] = {"status": it["Status"], "tags": tags_of(rds._tags.get(it["DBClusterArn"], []))}
    for id, it in ec2._instances.items():
        tags = tags_of(ec2._tags.get(id, []))
        same[f"instance {tags.get('Name', '')}"] = {"state": it["State"]["Name"], "tags": tags}
    for id in scripts.all_of_them():
        same[f"machine {id}"] = scripts.runs(id)
    names = {image["imageDigest"]: image["imageTags"][0] for all_of in ecr._images.values() for image in all_of if image["imageTags"]}
    for it in ssm._commands.values():
        if it["Parameters"]["Mode"] == ["deploy"]:
            label = f"commands that deploy {names[it['Parameters']['Image'][0].partition('@')[2]]}"
            counts[label] = counts.get(label, 0) + 1
    for name, it in autoscaling._asgs.items():
        same[f"group {name}"] = {"size": [it["MinSize"], it["DesiredCapacity"], it["MaxSize"]],
                                 "suspended": sorted(machines._suspended.get(name, ())),
                                 "tags": tags_of(autoscaling._tags.get(name, []))}
    for key, all_of, field in (("snapshots", rds._snapshots, "DBInstanceIdentifier"),
                               ("cluster snapshots", rds._db_cluster_snapshots, "DBClusterIdentifier")):
        for name, it in all_of.items():
            label = f"{key} of {it[field]}"
            counts[label] = counts.get(label, 0) + 1
            arn = it.get("DBSnapshotArn") or it.get("DBClusterSnapshotArn")
            same.setdefault(label, []).append([plain(name), it["Status"], tags_of(rds._tags.get(arn, []))])
    for label, value in same.items():
        if isinstance(value, list) and "snapshots" in label:
            value.sort(key=json.dumps)
    for it in cloudwatch._alarms.values():
        same[f"alarm {it['AlarmName']}"] = tags_of(cloudwatch._resource_tags.get(it["AlarmArn"], {}))
    for arn, tags in budgets._tags.items():
        same[f"budget {arn.rsplit('/', 1)[-1]}"] = tags_of(tags)
    for name, it in s3._buckets.items():
        # Which objects a drill compares is a lot that depends on the moment of the copy.
        texts = {key: plain(s3._get_object_data(name, key).decode()) for key in it["objects"]
                 if key.endswith(".json") and not key.endswith("-drill.json")}
        same[f"bucket {name}"] = {"objects": sorted([plain(key), texts.get(key, "")] for key in it["objects"]),
                                  "tags": tags_of(s3._bucket_tags.get(name, {}))}
    counts["jobs that copy"] = len(jobs._jobs)
    for name in ecr._repositories:
        same[f"repository {name}"] = sorted(tag for it in ecr._images.get(name, []) for tag in it["imageTags"])
    told = {}
    must = set()
    for kind, headline in emulator.told:
        key = _MOMENTS.sub("*", headline)
        told[key] = told.get(key, 0) + 1
        if kind in _MUST_BE_TOLD:
            must.add(key)
    return {"same": same, "counts": counts, "told": told, "must": sorted(must)}


def _deployments_of(service):
    """Those of ECS, or those of CodeDeploy that it did not begin by itself."""
    import codedeploy
    import history

    if not codedeploy._is_ours(service):
        return len(history._deployments.get(service["serviceArn"], []))
    groups = [names for names, it in codedeploy._groups.items() if codedeploy._service(it) is service]
    made = codedeploy._deployments.values()
    return sum((it["applicationName"], it["deploymentGroupName"]) in groups for it in made)


def exact():
    """The picture with its moments: two worlds of the same exact picture go on in the same manner."""
    return picture(_IDS)


def _digest(image):
    import history
    return history._digest(image)


def _without(picture, tags):
    """The picture without these tags, wherever they are."""
    def strip(value):
        if isinstance(value, dict):
            return {key: strip(it) for key, it in value.items() if key not in tags}
        return [strip(it) for it in value] if isinstance(value, list) else value

    return {**picture, "same": strip(picture["same"])} if tags else picture


def compare(expected, found, story, at_once=1, overlap=False):
    """What is wrong with an end, in lists: what is lost, doubled, not told, told too often.

    `silent` is not wrong: news of what went well, which nobody has to answer, may get lost with the run that had it.
    `used` are the exceptions of the story without which something would be wrong.
    """
    wrong, silent, used = {}, [], []
    if _differ(expected, found):
        less = _without(expected, story.may_differ), _without(found, story.may_differ)
        used += [] if _differ(*less) else list(story.may_differ)
        expected, found = less
    same = _differ(expected, found)
    if same:
        wrong["lost"] = [f"{key}: {found['same'].get(key)} instead of {expected['same'].get(key)}" for key in same]
    fewer = [key for key, count in expected["counts"].items() if count > found["counts"].get(key, 0)]
    used += [key for key in fewer if key in story.may_be_fewer]
    fewer = [f"{key}: {found['counts'].get(key, 0)} instead of {expected['counts'][key]}" for key in fewer
             if key not in story.may_be_fewer]
    if fewer:
        wrong["lost"] = wrong.get("lost", []) + fewer
    more = [key for key, count in found["counts"].items() if count > expected["counts"].get(key, 0)]
    used += [key for key in more if overlap and key in story.overlapping]
    more = [f"{key}: {found['counts'][key]} instead of {expected['counts'].get(key, 0)}" for key in more
            if not (overlap and key in story.overlapping)]
    if more:
        wrong["doubled"] = more
    others = [it for it in found["told"] if it not in expected["told"]]
    for subject in expected["told"]:
        # It may say more where it is told later, such as which image stays.
        later = [words for it, words in story.in_other_words.items() if subject.startswith(it)]
        if not any(it.startswith((subject, *later)) for it in found["told"]):
            needed = subject in expected["must"] or subject.startswith(story.must_be_told)
            excused = [it for it in story.may_be_lost if subject.startswith(it)]
            if needed and not excused:
                wrong.setdefault("untold", []).append(f"{subject}; but {others}")
            else:
                used += excused if needed else []
                silent.append(subject)
    overtold = [f"{count} x {subject}" for subject, count in found["told"].items()
                if count > max(1 + max(1, expected["told"].get(subject, 0)), at_once - 1 + expected["told"].get(subject, 1))]
    if overtold:
        wrong["overtold"] = overtold
    return wrong, silent, used


def _differ(expected, found):
    keys = {**expected["same"], **found["same"]}
    return [key for key in keys if expected["same"].get(key) != found["same"].get(key)]
