//! What every function may rely on when it describes services.

use aws_sdk_ecs::operation::describe_services::{DescribeServicesError, DescribeServicesInput, DescribeServicesOutput};
use aws_sdk_ecs::operation::tag_resource::TagResourceError;
use aws_sdk_ecs::operation::untag_resource::UntagResourceOutput;
use aws_sdk_ecs::primitives::DateTime;
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use aws_smithy_types::error::ErrorMetadata;

use super::*;

fn meta(code: &str) -> ErrorMetadata {
    ErrorMetadata::builder().code(code).message("no").custom("aws_request_id", "1a2b").build()
}

fn arn(name: &str) -> String {
    format!("arn:aws:ecs:ap-northeast-2:123456789012:service/shop/{name}")
}

fn names(names: &[&str]) -> Vec<ServiceName> {
    names.iter().map(|it| ServiceName::parse(&format!("shop/{it}")).unwrap()).collect()
}

/// An answer with these services, and these failures by name and reason.
fn answer(services: &[&str], failures: &[(&str, &str)]) -> DescribeServicesOutput {
    let service = |name: &&str| sdk::Service::builder().service_arn(arn(name)).service_name(*name).build();
    let failure = |(name, reason): &(&str, &str)| sdk::Failure::builder().arn(arn(name)).reason(*reason).build();
    DescribeServicesOutput::builder()
        .set_services(Some(services.iter().map(service).collect()))
        .set_failures(Some(failures.iter().map(failure).collect()))
        .build()
}

fn asks_for(input: &DescribeServicesInput, names: &[&str]) -> bool {
    input.cluster() == Some("shop") && input.services() == names && input.include() == [ServiceField::Tags]
}

async fn describe_with(rules: &[&Rule], names: Vec<ServiceName>) -> (Vec<String>, Vec<(String, Cause)>) {
    let client = mock_client!(aws_sdk_ecs, RuleMode::MatchAny, rules);
    let read = |it: &sdk::Service| (it.status() != Some("INACTIVE")).then(|| it.service_name().unwrap().to_owned());
    let services = describe_services(&Ecs::of(client), names, read).await;
    (services.found, services.missing.into_iter().map(|it| (it.service.to_string(), it.cause)).collect())
}

#[tokio::test]
async fn services_are_asked_for_ten_at_a_time_each_once_and_with_their_tags() {
    let many: Vec<String> = (10..22).map(|it| format!("s{it}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let twice: Vec<&str> = many.iter().chain(&many[..3]).copied().collect();
    let (ten, two) = (many[..10].to_vec(), many[10..].to_vec());
    let first = mock!(Client::describe_services)
        .match_requests({
            let ten: Vec<String> = ten.iter().map(|it| it.to_string()).collect();
            move |it| it.services() == ten && it.include() == [ServiceField::Tags]
        })
        .then_output({
            let ten: Vec<String> = ten.iter().map(|it| it.to_string()).collect();
            move || answer(&ten.iter().map(String::as_str).collect::<Vec<_>>(), &[])
        });
    let second = mock!(Client::describe_services)
        .match_requests(|it| asks_for(it, &["s20", "s21"]))
        .then_output(|| answer(&["s21", "s20"], &[]));
    let (found, missing) = describe_with(&[&first, &second], names(&twice)).await;
    assert_eq!((found, missing), (many.iter().map(|it| it.to_string()).collect(), vec![]));
    assert_eq!((first.num_calls(), second.num_calls(), two.len()), (1, 1, 2));
}

#[tokio::test]
async fn one_service_that_may_not_be_read_does_not_hide_the_others_of_its_batch() {
    let denied = || DescribeServicesError::generic(meta("AccessDeniedException"));
    let batch = mock!(Client::describe_services).match_requests(|it| it.services().len() == 2).then_error(denied);
    let a = mock!(Client::describe_services).match_requests(|it| asks_for(it, &["a"])).then_error(denied);
    let b =
        mock!(Client::describe_services).match_requests(|it| asks_for(it, &["b"])).then_output(|| answer(&["b"], &[]));
    let (found, missing) = describe_with(&[&batch, &a, &b], names(&["a", "b"])).await;
    // The request id stands in no text: it differs from run to run.
    let denied = Cause::Denied("DescribeServices shop: AccessDeniedException: no".into());
    assert_eq!((found, missing), (vec!["b".to_owned()], vec![("shop/a".to_owned(), denied)]));
}

#[tokio::test]
async fn a_missing_cluster_means_missing_services_and_another_error_means_unreadable_ones() {
    for (code, cause) in [
        ("ClusterNotFoundException", Cause::NotFound),
        ("ServerException", Cause::Denied("DescribeServices shop: ServerException: no".into())),
    ] {
        let failing = mock!(Client::describe_services).then_error(move || DescribeServicesError::generic(meta(code)));
        let (found, missing) = describe_with(&[&failing], names(&["a", "b"])).await;
        let expected = vec![("shop/a".to_owned(), cause.clone()), ("shop/b".to_owned(), cause)];
        assert_eq!((found, missing), (vec![], expected), "{code}");
    }
}

#[tokio::test]
async fn reasons_of_failures_are_looked_at_and_what_nobody_mentions_is_not_found() {
    let inactive = sdk::Service::builder().service_arn(arn("d")).service_name("d").status("INACTIVE").build();
    let rule = mock!(Client::describe_services).then_output(move || {
        let mut answer = answer(&["a"], &[("b", "MISSING"), ("c", "DENIED")]);
        answer.services.as_mut().unwrap().push(inactive.clone());
        answer
    });
    let (found, missing) = describe_with(&[&rule], names(&["a", "b", "c", "d", "e"])).await;
    assert_eq!(found, ["a"]);
    let denied = Cause::Denied("DescribeServices shop/c: DENIED".into());
    let expected = [("b", Cause::NotFound), ("c", denied), ("d", Cause::NotFound), ("e", Cause::NotFound)];
    assert_eq!(missing, expected.map(|(name, cause)| (format!("shop/{name}"), cause)));
}

#[tokio::test]
async fn who_acts_on_all_or_none_gets_the_first_error_in_place_of_a_part() {
    for (failures, expected) in [
        (vec![("b", "MISSING")], Ok(vec!["a".to_owned()])),
        (vec![("b", "DENIED")], Err("DescribeServices shop/b: UnexpectedAnswer: DENIED".to_owned())),
    ] {
        let rule = mock!(Client::describe_services).then_output(move || answer(&["a"], &failures));
        let client = mock_client!(aws_sdk_ecs, RuleMode::MatchAny, [&rule]);
        let read = |it: &sdk::Service| it.service_name().map(str::to_owned);
        let all = describe_all(&Ecs::of(client), names(&["a", "b"]), read).await;
        assert_eq!(all.map_err(|it| it.to_string()), expected);
    }
}

fn deployment(status: &str, state: Option<DeploymentRolloutState>, created: i64) -> sdk::Deployment {
    let it = sdk::Deployment::builder().status(status).set_rollout_state(state);
    it.created_at(DateTime::from_secs(created)).build()
}

fn task_set(status: &str, created: i64) -> sdk::TaskSet {
    sdk::TaskSet::builder().status(status).created_at(DateTime::from_secs(created)).build()
}

#[test]
fn a_deployment_is_in_progress_whoever_carries_it_out() {
    use DeploymentRolloutState::*;
    let by_ecs = |all: &[(&str, Option<DeploymentRolloutState>, i64)]| {
        let all = all.iter().map(|(status, state, at)| deployment(status, state.clone(), *at)).collect();
        sdk::Service::builder().set_deployments(Some(all)).build()
    };
    let by_others = |all: &[(&str, i64)]| {
        let all = all.iter().map(|(status, at)| task_set(status, *at)).collect();
        sdk::Service::builder().set_task_sets(Some(all)).build()
    };
    for (service, since) in [
        (by_ecs(&[]), None),
        (by_ecs(&[("PRIMARY", Some(Completed), 5)]), None),
        (by_ecs(&[("PRIMARY", Some(Failed), 5), ("ACTIVE", Some(Completed), 3)]), None),
        (by_ecs(&[("PRIMARY", Some(InProgress), 5)]), Some(5)),
        (by_ecs(&[("PRIMARY", None, 5)]), None),
        (by_ecs(&[("PRIMARY", None, 5), ("ACTIVE", None, 3)]), Some(5)),
        (by_others(&[("PRIMARY", 3)]), None),
        (by_others(&[("PRIMARY", 3), ("ACTIVE", 5)]), Some(5)),
        (by_others(&[("PRIMARY", 5), ("DRAINING", 3)]), None),
    ] {
        assert_eq!(deploying_since(&service).map(|it| it.as_second()), since, "{service:?}");
    }
    let undated = sdk::TaskSet::builder().status("ACTIVE").build();
    let service = sdk::Service::builder().task_sets(undated.clone()).task_sets(undated).build();
    assert_eq!(deploying_since(&service), Some(Timestamp::UNIX_EPOCH));
}

#[tokio::test]
async fn a_refused_write_names_code_and_resource_and_keeps_the_request_id_beside_them() {
    let denied = mock!(Client::tag_resource)
        .match_requests(|it| it.tags()[0].key() == Some("nightshift-state:problem"))
        .then_error(|| TagResourceError::generic(meta("AccessDeniedException")));
    let client = mock_client!(aws_sdk_ecs, RuleMode::MatchAny, [&denied]);
    let error = write_tag(&client, "arn:x", "nightshift-state:problem", Some("y")).await.unwrap_err();
    assert!(error.is_denied());
    assert_eq!(error.to_string(), "TagResource arn:x: AccessDeniedException: no");
    assert_eq!(error.request_id.as_deref(), Some("1a2b"));
}

#[tokio::test]
async fn no_value_removes_the_tag() {
    let removed = mock!(Client::untag_resource)
        .match_requests(|it| it.resource_arn() == Some("arn:x") && it.tag_keys() == ["k"])
        .then_output(|| UntagResourceOutput::builder().build());
    let client = mock_client!(aws_sdk_ecs, RuleMode::MatchAny, [&removed]);
    write_tag(&client, "arn:x", "k", None).await.unwrap();
    assert_eq!(removed.num_calls(), 1);
}
