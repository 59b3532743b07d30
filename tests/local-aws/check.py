"""Checks that the local AWS behaves as README.md says, where a decision rests on it.

    python check.py --endpoint URL        of a local AWS that was started with --auth and has no stack
"""

import argparse
import json
import time
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

REGION, ACCOUNT = "ap-northeast-2", "123456789012"
RDS, ECS = f"arn:aws:rds:{REGION}:{ACCOUNT}", f"arn:aws:ecs:{REGION}:{ACCOUNT}"
_roles = iter(range(1000))


class Aws:
    """Clients of the local AWS: those of the test, which may do anything, and those of roles."""

    def __init__(self, endpoint):
        self.endpoint = endpoint

    def client(self, service, key="test", secret="test", token=None):
        return boto3.client(
            service, endpoint_url=self.endpoint, region_name=REGION, aws_access_key_id=key,
            aws_secret_access_key=secret, aws_session_token=token, config=Config(retries={"total_max_attempts": 1}))

    def role(self, *statements):
        """A way to make clients of a role with these statements: (actions, resources[, condition])."""
        name = f"check-{next(_roles)}"
        iam = self.client("iam")
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusting(AWS=ACCOUNT))["Role"]["Arn"]
        fields = ("Action", "Resource", "Condition")
        allowed = [{"Effect": "Allow", **dict(zip(fields, it))} for it in statements]
        policy = {"Version": "2012-10-17", "Statement": allowed}
        iam.put_role_policy(RoleName=name, PolicyName="check", PolicyDocument=json.dumps(policy))
        given = self.client("sts").assume_role(RoleArn=role, RoleSessionName="check")["Credentials"]
        return lambda service: self.client(
            service, given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])

    def control(self, method, endpoint, data=None):
        body = json.dumps(data).encode()
        request = urllib.request.Request(f"{self.endpoint}/_nightshift/{endpoint}", body, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)


def trusting(**principal):
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def error(call, **parameters):
    """The code that a call is refused with; none if it is not."""
    try:
        call(**parameters)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


def until(question):
    """The first answer that is not empty; gives up after half a minute."""
    for _ in range(600):
        if answer := question():
            return answer
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def refused(call, **parameters):
    code = error(call, **parameters)
    assert code and "AccessDenied" in code, f"not refused, but {code}"


def allowed(call, **parameters):
    code = error(call, **parameters)
    assert code is None, code


def database(aws, name, copy_tags=False):
    aws.client("rds").create_db_instance(
        DBInstanceIdentifier=name, DBInstanceClass="db.t4g.micro", Engine="postgres", AllocatedStorage=20,
        MasterUsername="shop", MasterUserPassword="not-a-secret", CopyTagsToSnapshot=copy_tags,
        Tags=[{"Key": "nightshift:schedule", "Value": "always"}])


def service(aws, name, family, **configuration):
    ecs = aws.client("ecs")
    ecs.create_cluster(clusterName="shop")
    ecs.register_task_definition(family=family, containerDefinitions=[{"name": "api", "image": "shop/api:1"}])
    ecs.create_service(
        cluster="shop", serviceName=name, taskDefinition=family, desiredCount=1,
        tags=[{"key": "nightshift:deploy", "value": "newest"}], deploymentConfiguration=configuration)
    return until(lambda: deployments(aws, name, "SUCCESSFUL"))


def deployments(aws, name, status):
    found = aws.client("ecs").list_service_deployments(cluster="shop", service=name)["serviceDeployments"]
    return [it for it in found if it["status"] == status]


# ------------------------------------------------------------------------------------------------ one call, all resources


def a_snapshot_is_authorised_on_the_database_the_snapshot_and_its_tags(aws):
    database(aws, "orders")
    on_snapshot = ("rds:CreateDBSnapshot", f"{RDS}:snapshot:nightshift-*")
    condition = {"Null": {"aws:ResourceTag/nightshift:schedule": "false"}}
    on_database = ("rds:CreateDBSnapshot", f"{RDS}:db:*", condition)
    tags = ("rds:AddTagsToResource", f"{RDS}:snapshot:nightshift-*")
    call = {"DBInstanceIdentifier": "orders", "DBSnapshotIdentifier": "nightshift-orders"}
    tagged = {**call, "Tags": [{"Key": "nightshift-state:made-by", "Value": "check"}]}
    refused(aws.role(on_snapshot, tags)("rds").create_db_snapshot, **tagged)
    refused(aws.role(on_database, tags)("rds").create_db_snapshot, **tagged)
    refused(aws.role(on_database, on_snapshot)("rds").create_db_snapshot, **tagged)
    database(aws, "untagged")
    aws.client("rds").remove_tags_from_resource(ResourceName=f"{RDS}:db:untagged", TagKeys=["nightshift:schedule"])
    both = aws.role(on_database, on_snapshot, tags)("rds")
    refused(both.create_db_snapshot, **{**tagged, "DBInstanceIdentifier": "untagged"})
    allowed(both.create_db_snapshot, **tagged)


def a_stop_with_a_snapshot_is_authorised_on_both_and_tagged_as_the_database(aws):
    database(aws, "stopped", copy_tags=True)
    on_database = (["rds:StopDBInstance", "rds:CreateDBSnapshot"], f"{RDS}:db:*")
    call = {"DBInstanceIdentifier": "stopped", "DBSnapshotIdentifier": "nightshift-stopped"}
    needed = ["rds:StopDBInstance", "rds:CreateDBSnapshot", "rds:AddTagsToResource"]
    for left_out in needed:
        others = [it for it in needed if it != left_out]
        role = aws.role(on_database, (others, f"{RDS}:snapshot:nightshift-*"))
        refused(role("rds").stop_db_instance, **call)
    role = aws.role(on_database, (needed, f"{RDS}:snapshot:nightshift-*"))
    allowed(role("rds").stop_db_instance, **call)
    found = aws.client("rds").describe_db_snapshots(DBSnapshotIdentifier="nightshift-stopped")["DBSnapshots"][0]
    assert found["TagList"] == [{"Key": "nightshift:schedule", "Value": "always"}], found


def a_batch_of_services_is_authorised_on_each_of_them(aws):
    service(aws, "batch-a", "batch-a")
    service(aws, "batch-b", "batch-b")
    one = aws.role(("ecs:DescribeServices", f"{ECS}:service/shop/batch-a"))("ecs")
    allowed(one.describe_services, cluster="shop", services=["batch-a"])
    refused(one.describe_services, cluster="shop", services=["batch-a", "batch-b"])


def a_service_revision_is_authorised_with_its_service(aws):
    service(aws, "revised", "revised")
    arn = deployments(aws, "revised", "SUCCESSFUL")[0]["targetServiceRevisionArn"]
    on_revision = ("ecs:DescribeServiceRevisions", f"{ECS}:service-revision/*")
    refused(aws.role(on_revision)("ecs").describe_service_revisions, serviceRevisionArns=[arn])
    both = aws.role(on_revision, ("ecs:DescribeServiceRevisions", f"{ECS}:service/*"))
    allowed(both("ecs").describe_service_revisions, serviceRevisionArns=[arn])


def a_task_needs_to_be_handed_its_roles(aws):
    trust = trusting(Service="ecs-tasks.amazonaws.com")
    role = aws.client("iam").create_role(RoleName="tasks-migrate", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    aws.client("ecs").register_task_definition(
        family="with-role", executionRoleArn=role, containerDefinitions=[{"name": "migrate", "image": "shop/api:1"}])
    run = ("ecs:RunTask", f"{ECS}:task-definition/*")
    call = {"cluster": "shop", "taskDefinition": "with-role"}
    refused(aws.role(run)("ecs").run_task, **call)
    refused(aws.role(run, ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/other"))("ecs").run_task, **call)
    allowed(aws.role(run, ("iam:PassRole", role))("ecs").run_task, **call)


def a_change_of_a_schedule_hands_its_role_on_and_sets_what_it_leaves_out(aws):
    role = f"arn:aws:iam::{ACCOUNT}:role/schedules"
    own, given = aws.client("scheduler"), {"Mode": "OFF"}
    for group in ("jobs", "others"):
        own.create_schedule_group(Name=group)
    target = {"Arn": f"{ECS}:cluster/shop", "RoleArn": role, "EcsParameters": {"TaskDefinitionArn": f"{ECS}:task-definition/api:1"}}
    call = {"Name": "nightly", "GroupName": "jobs", "ScheduleExpression": "rate(1 day)", "FlexibleTimeWindow": given, "Target": target}
    own.create_schedule(**call, State="DISABLED", Description="Sums up the day")
    change = ("scheduler:UpdateSchedule", f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/jobs/*")
    hand_on = ("iam:PassRole", role, {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}})
    refused(aws.role(change)("scheduler").update_schedule, **call)
    refused(aws.role(change, hand_on)("scheduler").update_schedule, **{**call, "GroupName": "others"})
    allowed(aws.role(change, hand_on)("scheduler").update_schedule, **call)
    now = own.get_schedule(Name="nightly", GroupName="jobs")
    assert (now["State"], now.get("Description", "")) == ("ENABLED", ""), now
    # A tag of the group decides who may write to the group.
    arn = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/jobs"
    tagged = aws.role(("scheduler:TagResource", arn, {"Null": {"aws:ResourceTag/nightshift:deploy": "false"}}))
    write = {"ResourceArn": arn, "Tags": [{"Key": "nightshift-state:problem", "Value": "x"}]}
    refused(tagged("scheduler").tag_resource, **write)
    own.tag_resource(ResourceArn=arn, Tags=[{"Key": "nightshift:deploy", "Value": "follow=shop/api"}])
    allowed(tagged("scheduler").tag_resource, **write)


def a_scaling_target_is_validated_in_the_callers_name(aws):
    service(aws, "scaled", "scaled")
    register = ("application-autoscaling:RegisterScalableTarget", "*")
    call = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount",
            "ResourceId": "service/shop/scaled", "MinCapacity": 0, "MaxCapacity": 2}
    refused(aws.role(register)("application-autoscaling").register_scalable_target, **call)
    actions = ["ecs:DescribeServices", "ecs:UpdateService"]
    validate = (actions, f"{ECS}:service/*", {"Bool": {"aws:ViaAWSService": "true"}})
    role = aws.role(register, validate)
    allowed(role("application-autoscaling").register_scalable_target, **call)
    # By itself the role may not update the service.
    refused(role("ecs").update_service, cluster="shop", service="scaled", desiredCount=0)


# ------------------------------------------------------------------------------------------------ RDS


def a_snapshot_that_is_being_created_is_not_deleted(aws):
    rds = aws.client("rds")
    database(aws, "busy")
    rds.create_db_snapshot(DBInstanceIdentifier="busy", DBSnapshotIdentifier="busy")
    rds.create_db_cluster(DBClusterIdentifier="busy-cluster", Engine="aurora-postgresql", MasterUsername="shop",
                          MasterUserPassword="not-a-secret")
    rds.create_db_cluster_snapshot(DBClusterIdentifier="busy-cluster", DBClusterSnapshotIdentifier="busy-too")
    for name in ("busy", "busy-too"):
        aws.control("POST", "snapshot", {"id": name, "status": "creating"})
    assert error(rds.delete_db_snapshot, DBSnapshotIdentifier="busy") == "InvalidDBSnapshotState"
    of_cluster = error(rds.delete_db_cluster_snapshot, DBClusterSnapshotIdentifier="busy-too")
    assert of_cluster == "InvalidDBClusterSnapshotStateFault", of_cluster
    aws.control("POST", "snapshot", {"id": "busy-too", "status": "failed"})
    allowed(rds.delete_db_cluster_snapshot, DBClusterSnapshotIdentifier="busy-too")


# ------------------------------------------------------------------------------------------------ ECS


def a_token_repeats_its_first_answer_until_ecs_forgets_it(aws):
    ecs = aws.client("ecs")
    ecs.register_task_definition(family="migrate", containerDefinitions=[{"name": "migrate", "image": "shop/api:1"}])

    def run(token):
        answer = ecs.run_task(cluster="shop", taskDefinition="migrate", clientToken=token, startedBy="ns-check")
        return [it["taskArn"] for it in answer["tasks"]], [it["reason"] for it in answer["failures"]]

    aws.control("POST", "run-task", {"reasons": ["RESOURCE:ENI"]})
    assert run("first") == ([], ["RESOURCE:ENI"])
    assert run("first") == ([], ["RESOURCE:ENI"]), "an old failure is repeated"
    started = run("second")
    assert len(started[0]) == 1 and run("second") == started
    aws.control("POST", "task", {"family": "migrate", "exit_code": 0})
    assert run("second") == started, "the task has ended, and its token is known"
    aws.control("POST", "forget", {"family": "migrate"})
    assert run("second") not in (started, ([], [])), "the same token starts a new task"
    # A task that never began has no exit code.
    reason = "Timeout waiting for network interface provisioning to complete."
    aws.control("POST", "task", {"family": "migrate", "stop_code": "TaskFailedToStart", "reason": reason})
    arns = ecs.list_tasks(cluster="shop", family="migrate", desiredStatus="STOPPED")["taskArns"]
    task = ecs.describe_tasks(cluster="shop", tasks=arns)["tasks"][0]
    assert task["stopCode"] == "TaskFailedToStart" and "exitCode" not in task["containers"][0], task


def a_breaker_that_does_not_roll_back_stops_the_deployment(aws):
    ecs = aws.client("ecs")
    service(aws, "breaker", "breaker", deploymentCircuitBreaker={"enable": True, "rollback": False})
    aws.control("POST", "rollouts", {"mode": "manual"})
    ecs.update_service(cluster="shop", service="breaker", forceNewDeployment=True)
    aws.control("POST", "rollout", {"service": "shop/breaker", "outcome": "failed"})
    assert deployments(aws, "breaker", "STOP_REQUESTED")
    aws.control("POST", "rollout", {"service": "shop/breaker", "outcome": "stopped"})
    assert deployments(aws, "breaker", "STOPPED")
    # So is one that a newer one supersedes, whatever it was about to become.
    ecs.update_service(cluster="shop", service="breaker", forceNewDeployment=True)
    ecs.update_service(cluster="shop", service="breaker", forceNewDeployment=True)
    assert len(deployments(aws, "breaker", "STOP_REQUESTED")) == len(deployments(aws, "breaker", "IN_PROGRESS")) == 1
    aws.control("POST", "rollout", {"service": "shop/breaker", "outcome": "completed"})
    assert len(deployments(aws, "breaker", "STOPPED")) == 2
    aws.control("POST", "rollouts", {"mode": "auto"})


def canary(aws, name, **configuration):
    """A service on its second deployment, the first one that shifts traffic; ends at its first stage."""
    service(aws, name, name)
    aws.control("POST", "rollouts", {"mode": "manual"})
    strategy = {"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 10.0}, **configuration}
    aws.client("ecs").update_service(
        cluster="shop", service=name, deploymentConfiguration=strategy, forceNewDeployment=True)
    aws.control("POST", "rollouts", {"mode": "auto"})
    return deployments(aws, name, "IN_PROGRESS")[0]["serviceDeploymentArn"]


def a_canary_goes_through_its_stages_and_shifts_in_two_steps(aws):
    ecs = aws.client("ecs")
    arn = canary(aws, "canary")

    def there(outcome, **where):
        aws.control("POST", "rollout", {"service": "shop/canary", "outcome": outcome, **where})
        told = ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0]
        return told["lifecycleStage"], told["targetServiceRevision"]["requestedProductionTrafficWeight"]

    shift = "PRODUCTION_TRAFFIC_SHIFT"
    assert there("stage", stage="POST_TEST_TRAFFIC_SHIFT") == ("POST_TEST_TRAFFIC_SHIFT", 0.0)
    assert [there("stage", stage=shift, traffic=it) for it in (10.0, 100.0)] == [(shift, 10.0), (shift, 100.0)]
    assert there("stage", stage="BAKE_TIME") == ("BAKE_TIME", 100.0)
    shown = ecs.describe_services(cluster="shop", services=["canary"])["services"][0]
    assert len(shown["deployments"]) == 2 and "rolloutState" not in shown["deployments"][0], shown["deployments"]
    there("completed")
    assert len(deployments(aws, "canary", "SUCCESSFUL")) == 2
    # What is over cannot be taken back.
    assert error(ecs.stop_service_deployment, serviceDeploymentArn=arn) == "ConflictException"


def a_pause_waits_for_one_answer_at_each_step_and_a_stop_goes_back(aws):
    ecs = aws.client("ecs")
    hook = {"targetType": "PAUSE", "lifecycleStages": ["PRE_PRODUCTION_TRAFFIC_SHIFT"]}
    arn = canary(aws, "paused", lifecycleHooks=[hook])

    def waiting():
        told = ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0]
        return [it["hookId"] for it in told["lifecycleHookDetails"] if it["status"] == "AWAITING_ACTION"]

    def go_on(hook):
        return error(ecs.continue_service_deployment, serviceDeploymentArn=arn, hookId=hook)

    aws.control("POST", "rollout", {"service": "shop/paused", "outcome": "stage", "stage": "PRODUCTION_TRAFFIC_SHIFT"})
    first = waiting()
    assert len(first) == 1 and go_on(first[0]) is None
    assert go_on(first[0]) == "InvalidParameterException", "it was answered"
    aws.control("POST", "rollout", {"service": "shop/paused", "outcome": "completed"})
    second = waiting()
    assert len(second) == 1 and second != first, "each step pauses at a hook of its own"
    name = f"{ECS}:service/shop/paused"
    for action, call in (("Stop", "stop"), ("Continue", "continue")):
        action, call = f"ecs:{action}ServiceDeployment", f"{call}_service_deployment"
        given = {"serviceDeploymentArn": arn, **({"hookId": "none"} if call.startswith("continue") else {})}
        refused(getattr(aws.role((action, f"{ECS}:service-deployment/*"))("ecs"), call), **given)
        refused(getattr(aws.role((action, name))("ecs"), call), **given)
    both = aws.role(("ecs:StopServiceDeployment", [name, f"{ECS}:service-deployment/*"]))("ecs")
    allowed(both.stop_service_deployment, serviceDeploymentArn=arn, stopType="ROLLBACK")
    until(lambda: deployments(aws, "paused", "ROLLBACK_SUCCESSFUL"))


def a_pause_at_which_nobody_answers_goes_back(aws):
    hook = {"targetType": "PAUSE", "lifecycleStages": ["POST_SCALE_UP"]}
    canary(aws, "expired", lifecycleHooks=[hook])
    aws.control("POST", "rollout", {"service": "shop/expired", "outcome": "stage", "stage": "POST_SCALE_UP"})
    aws.control("POST", "rollout", {"service": "shop/expired", "outcome": "expired"})
    until(lambda: deployments(aws, "expired", "ROLLBACK_SUCCESSFUL"))


def a_rolling_deployment_pauses_as_well(aws):
    ecs = aws.client("ecs")
    service(aws, "rolling", "rolling")
    hook = {"targetType": "PAUSE", "lifecycleStages": ["POST_SCALE_UP"]}
    ecs.update_service(cluster="shop", service="rolling", deploymentConfiguration={"lifecycleHooks": [hook]},
                       forceNewDeployment=True)
    arn = deployments(aws, "rolling", "IN_PROGRESS")[0]["serviceDeploymentArn"]

    def told():
        return ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0]

    pause = until(lambda: told().get("lifecycleHookDetails"))[0]
    assert (told()["lifecycleStage"], pause["status"]) == ("POST_SCALE_UP", "AWAITING_ACTION")
    assert "requestedProductionTrafficWeight" not in told()["targetServiceRevision"]
    shown = ecs.describe_services(cluster="shop", services=["rolling"])["services"][0]["deployments"]
    assert shown[0]["rolloutState"] == "IN_PROGRESS", shown
    allowed(ecs.continue_service_deployment, serviceDeploymentArn=arn, hookId=pause["hookId"])
    until(lambda: told()["status"] == "SUCCESSFUL")


# ------------------------------------------------------------------------------------------------ Run Command


DOCUMENT = {"Resources": {"Document": {"Type": "AWS::SSM::Document", "Properties": {
    "DocumentType": "Command", "UpdateMethod": "NewVersion", "Content": {
        "schemaVersion": "2.2",
        "parameters": {"Word": {"type": "String", "interpolationType": "ENV_VAR", "allowedPattern": "^[a-z]+$"}},
        "mainSteps": [{"action": "aws:runShellScript", "name": "say", "inputs": {
            "runCommand": ['echo "$SSM_Word"; [ "$SSM_Word" != bad ]']}}]}}}}}


def machine(aws, **tags):
    ec2 = aws.client("ec2")
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    tags = [{"Key": f"nightshift:{key}", "Value": value} for key, value in tags.items()]
    specification = [{"ResourceType": "instance", "Tags": tags}] if tags else []
    made = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, TagSpecifications=specification)
    return made["Instances"][0]["InstanceId"]


def a_command_is_authorised_on_its_document_and_its_instance_and_runs_there(aws):
    ssm, ec2 = aws.client("ssm"), aws.client("ec2")
    aws.client("cloudformation").create_stack(StackName="document", TemplateBody=json.dumps(DOCUMENT))
    resources = aws.client("cloudformation").describe_stack_resources
    name = until(lambda: resources(StackName="document")["StackResources"])[0]["PhysicalResourceId"]
    tagged, bare = machine(aws, deploy="newest"), machine(aws)
    on_document = ("ssm:SendCommand", f"arn:aws:ssm:{REGION}:{ACCOUNT}:document/{name}")
    condition = {"Null": {"aws:ResourceTag/nightshift:deploy": "false"}}
    on_instance = ("ssm:SendCommand", f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/*", condition)
    call = {"DocumentName": name, "InstanceIds": [tagged], "Parameters": {"Word": ["good"]}}
    both = aws.role(on_document, on_instance)("ssm")
    refused(aws.role(on_document)("ssm").send_command, **call)
    refused(aws.role(on_instance)("ssm").send_command, **call)
    refused(both.send_command, **{**call, "InstanceIds": [bare]})

    assert error(both.send_command, **{**call, "DocumentName": "none"}) == "AccessDeniedException"
    assert error(ssm.send_command, **{**call, "DocumentName": "none"}) == "InvalidDocument"
    for wrong in ({"Word": ["$(id)"]}, {"Word": ["good\nbad;"]}, {}, {"Word": ["good"], "Other": ["x"]}):
        assert error(ssm.send_command, **{**call, "Parameters": wrong}) == "InvalidParameters", wrong

    def ended(identifier, instance=tagged):
        def question():
            told = ssm.get_command_invocation(CommandId=identifier, InstanceId=instance)
            return told if told["Status"] in ("Success", "Failed") else None
        return until(question)

    for word, status, code in (("good", "Success", 0), ("bad", "Failed", 1)):
        aws.control("POST", "commands", {"held": True})
        sent = both.send_command(**{**call, "Parameters": {"Word": [word]}, "Comment": word})["Command"]["CommandId"]
        first = error(ssm.get_command_invocation, CommandId=sent, InstanceId=tagged)
        aws.control("POST", "commands", {"held": False})
        assert first == "InvocationDoesNotExist", first
        told = ended(sent)
        seen = told["Status"], told["ResponseCode"], told["StandardOutputContent"]
        assert seen == (status, code, f"{word}\n"), told
    comments = [it["Comment"] for it in ssm.list_commands(InstanceId=tagged)["Commands"]]
    assert comments == ["bad", "good"] and ssm.list_commands(InstanceId=bare)["Commands"] == []

    # A stopped instance is valid: its command waits. One whose agent never spoke is not.
    ec2.stop_instances(InstanceIds=[tagged])
    sent = ssm.send_command(**call)["Command"]["CommandId"]
    error(ssm.get_command_invocation, CommandId=sent, InstanceId=tagged)
    assert ssm.get_command_invocation(CommandId=sent, InstanceId=tagged)["Status"] == "Pending"
    ec2.start_instances(InstanceIds=[tagged])
    assert ended(sent)["Status"] == "Success"
    aws.control("POST", "machine", {"id": bare, "unreachable": True})
    assert error(ssm.send_command, **{**call, "InstanceIds": [bare]}) == "InvalidInstanceId"
    known = [it["InstanceId"] for it in ssm.describe_instance_information()["InstanceInformationList"]]
    assert tagged in known and bare not in known


# ------------------------------------------------------------------------------------------------ late, lost, too many


def functions_see_an_old_tag_index_and_old_services_while_a_test_sees_all(aws):
    service(aws, "late", "late")
    role = aws.role((["tag:GetResources", "ecs:DescribeServices"], "*"))
    index = role("resourcegroupstaggingapi")
    ecs, test = role("ecs"), aws.client("ecs")

    def listed(client):
        found = client.get_resources(TagFilters=[{"Key": "nightshift:deploy"}], ResourceTypeFilters=["ecs:service"])
        return {it["ResourceARN"].rsplit("/", 1)[-1] for it in found["ResourceTagMappingList"]}

    def count(client):
        return client.describe_services(cluster="shop", services=["late"])["services"][0]["desiredCount"]

    aws.control("POST", "late", {"what": "tag-index"})
    aws.control("POST", "late", {"what": "services", "times": 2})
    service(aws, "later", "later")
    test.untag_resource(resourceArn=f"{ECS}:service/shop/late", tagKeys=["nightshift:deploy"])
    test.update_service(cluster="shop", service="late", desiredCount=3)
    assert {"late", "later"} & listed(index) == {"late"}, listed(index)
    assert {"late", "later"} & listed(aws.client("resourcegroupstaggingapi")) == {"later"}
    assert (count(test), count(ecs), count(ecs), count(ecs)) == (3, 1, 1, 3)
    aws.control("DELETE", "late")
    assert {"late", "later"} & listed(index) == {"later"}


def events_come_twice_in_another_order_or_not_at_all(aws):
    sqs, events = aws.client("sqs"), aws.client("events")
    queue = sqs.create_queue(QueueName="events")["QueueUrl"]
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:events"
    events.put_rule(Name="pushes", EventPattern=json.dumps({"source": ["aws.ecr"]}))
    events.put_targets(Rule="pushes", Targets=[{"Id": "queue", "Arn": arn}])
    aws.client("ecr").create_repository(repositoryName="events")

    def push(tag):
        manifest = json.dumps({"config": {"digest": tag}})
        aws.client("ecr").put_image(repositoryName="events", imageManifest=manifest, imageTag=tag)

    def heard(number):
        tags = []

        def receive():
            for it in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
                tags.append(json.loads(it["Body"])["detail"]["image-tag"])
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=it["ReceiptHandle"])
            return len(tags) >= number

        until(receive)
        return tags

    aws.control("POST", "events", {"mode": "twice"})
    push("a")
    assert heard(2) == ["a", "a"]
    aws.control("POST", "events", {"mode": "held"})
    push("b")
    push("c")
    assert aws.control("POST", "events", {"mode": "lost"})["sent"] == 2, "told, and lost"
    push("d")
    aws.control("POST", "events", {"mode": "held"})
    push("e")
    aws.control("POST", "events", {"mode": "live"})
    assert heard(1) == ["e"]


def calls_beyond_a_bucket_are_throttled_until_it_fills(aws):
    role = aws.role(("ecs:ListClusters", "*"))
    bucket = {"service": "ecs", "action": "ListClusters", "size": 2}
    aws.control("POST", "buckets", [{**bucket, "rate": 0}])
    ecs = role("ecs")
    codes = [error(ecs.list_clusters) for _ in range(3)]
    assert codes[:2] == [None, None] and codes[2] == "ThrottlingException", codes
    aws.control("POST", "buckets", [{**bucket, "rate": 100}])
    for _ in range(5):
        until(lambda: error(ecs.list_clusters) is None)
    aws.control("POST", "buckets", [])


CHECKS = [it for name, it in list(globals().items()) if name.startswith(("a_", "functions_", "events_", "calls_"))]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--endpoint", required=True)
    aws = Aws(arguments.parse_args().endpoint)
    for check in CHECKS:
        check(aws)
        print(check.__name__.replace("_", " "))


if __name__ == "__main__":
    main()
