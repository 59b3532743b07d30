//! The next revision of a task definition is the same but for the image: every field, known to the SDK or not.

use serde_json::{Value, json};

use crate::aws::{Script, digest};

/// A task definition with everything in it, and with a field that no SDK knows yet, at the top and deep inside.
fn maximal() -> Value {
    json!({
        "taskRoleArn": "arn:aws:iam::123456789012:role/task", "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
        "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "1024", "memory": "2048",
        "pidMode": "task", "ipcMode": "none", "enableFaultInjection": true, "ephemeralStorage": {"sizeInGiB": 40},
        "runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
        "placementConstraints": [{"type": "memberOf", "expression": "attribute:x exists"}],
        "proxyConfiguration": {"type": "APPMESH", "containerName": "envoy", "properties": [{"name": "ProxyIngressPort", "value": "15000"}]},
        "inferenceAccelerators": [{"deviceName": "device_1", "deviceType": "eia2.medium"}],
        "trustedExecutionConfiguration": {"enable": true},
        "volumes": [{"name": "data", "configuredAtLaunch": false, "efsVolumeConfiguration": {"fileSystemId": "fs-1",
            "rootDirectory": "/", "transitEncryption": "ENABLED", "authorizationConfig": {"accessPointId": "fsap-1", "iam": "ENABLED"}}}],
        "fieldOfNextYear": {"deep": [1, 2.5, null, "x"]},
        "containerDefinitions": [
            {"name": "app", "image": "123456789012.dkr.ecr.ap-northeast-2.amazonaws.com/api:v1.0.0", "cpu": 512, "memory": 1024,
             "memoryReservation": 512, "essential": true, "links": [], "portMappings": [{"containerPort": 3000, "hostPort": 3000,
             "protocol": "tcp", "name": "http", "appProtocol": "http"}], "entryPoint": ["/init"], "command": ["serve", "--port=3000"],
             "environment": [{"name": "NODE_ENV", "value": "production"}], "environmentFiles": [{"value": "arn:aws:s3:::b/e.env", "type": "s3"}],
             "mountPoints": [{"sourceVolume": "data", "containerPath": "/data", "readOnly": true}], "volumesFrom": [],
             "linuxParameters": {"initProcessEnabled": true, "capabilities": {"add": ["SYS_PTRACE"], "drop": ["ALL"]}},
             "secrets": [{"name": "DB", "valueFrom": "arn:aws:ssm:ap-northeast-2:123456789012:parameter/db"}],
             "dependsOn": [{"containerName": "envoy", "condition": "HEALTHY"}], "startTimeout": 60, "stopTimeout": 120,
             "versionConsistency": "enabled", "hostname": "app", "user": "1000", "workingDirectory": "/srv", "disableNetworking": false,
             "privileged": false, "readonlyRootFilesystem": true, "dnsServers": [], "extraHosts": [{"hostname": "h", "ipAddress": "10.0.0.1"}],
             "dockerSecurityOptions": [], "interactive": true, "pseudoTerminal": true, "dockerLabels": {"a": "b"},
             "ulimits": [{"name": "nofile", "softLimit": 65536, "hardLimit": 65536}],
             "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/api"}, "secretOptions": []},
             "healthCheck": {"command": ["CMD-SHELL", "curl -f http://localhost:3000/health"], "interval": 30, "timeout": 5, "retries": 3, "startPeriod": 10},
             "systemControls": [{"namespace": "net.core.somaxconn", "value": "1024"}], "resourceRequirements": [{"type": "GPU", "value": "1"}],
             "firelensConfiguration": {"type": "fluentbit", "options": {}}, "credentialSpecs": [],
             "restartPolicy": {"enabled": true, "ignoredExitCodes": [0], "restartAttemptPeriod": 60}, "containerFieldOfNextYear": true},
            {"name": "envoy", "image": "public.ecr.aws/appmesh/aws-appmesh-envoy:v1", "essential": true},
        ],
    })
}

/// What comes with it and must not be sent.
fn output_only() -> Vec<(&'static str, Value)> {
    vec![
        ("taskDefinitionArn", json!("set by the script")),
        ("revision", json!(1)),
        ("status", json!("ACTIVE")),
        ("requiresAttributes", json!([{"name": "com.amazonaws.ecs.capability.ecr-auth"}])),
        ("compatibilities", json!(["EC2", "FARGATE"])),
        ("registeredAt", json!(1_795_000_000.25)),
        ("deregisteredAt", json!(1_795_000_001)),
        ("registeredBy", json!("arn:aws:iam::123456789012:user/terraform")),
        ("deleteRequestedAt", json!(1_795_000_002)),
    ]
}

#[tokio::test]
async fn every_field_goes_through_as_it_came() {
    let script = Script::new();
    script.push("api", "v1.0.0", 1, 1);
    script.push("api", "v1.1.0", 2, 5);
    {
        let mut aws = script.aws();
        let mut described = maximal();
        for (field, value) in output_only() {
            described[field] = value;
        }
        let tags = json!([{"key": "Team", "value": "api"}, {"key": "aws:cloudformation:stack-name", "value": "shop"},
                          {"key": "nightshift-state:image", "value": "v0.9.0"}]);
        let revision = aws.add_revision("api", described, tags);
        aws.add_service("shop/api", "semver", &revision);
    }
    script.invoke(json!({})).await.unwrap();
    let mut expected = maximal();
    expected["family"] = json!("api");
    let pinned = format!("123456789012.dkr.ecr.ap-northeast-2.amazonaws.com/api@{}", digest(2));
    expected["containerDefinitions"][0]["image"] = json!(pinned);
    expected["tags"] = json!([{"key": "Team", "value": "api"}, {"key": "nightshift-state:image", "value": "v1.1.0"},
                              {"key": "nightshift-state:previous", "value": "api:1"}]);
    assert_eq!(script.sent("RegisterTaskDefinition"), [expected]);
}
