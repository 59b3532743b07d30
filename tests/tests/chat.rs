//! `deploy/chat.yaml`: the channel may press buttons and nothing else, and each button sends what its message holds.

use std::collections::BTreeSet;

use nightshift_tests::iam::{Policy, Request};
use nightshift_tests::sources::{folders, read};
use nightshift_tests::stack::Stack;
use nightshift_tests::template::Template;
use reconcile::Button;
use serde_json::{Value, json};

const TOPIC: (&str, &str) = ("TopicArn", "arn:aws:sns:ap-northeast-2:123456789012:nightshift-Topic-1A2B");
const SLACK: [(&str, &str); 2] = [("SlackWorkspaceId", "T0ABCDEFG"), ("SlackChannelId", "C0ABCDEFG")];
const TEAMS: [(&str, &str); 3] = [
    ("TeamsTenantId", "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"),
    ("TeamsTeamId", "1f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"),
    ("TeamsChannelId", "19%3Aabc%40thread.tacv2"),
];

fn stack(parameters: &[&[(&'static str, &'static str)]]) -> Stack {
    let all: Vec<_> = parameters.iter().flat_map(|it| it.iter().copied()).chain([TOPIC]).collect();
    Stack::chatting(&all)
}

fn channels(stack: &Stack) -> Vec<Value> {
    ["Slack", "MicrosoftTeams"]
        .iter()
        .flat_map(|it| stack.made(&format!("AWS::Chatbot::{it}ChannelConfiguration")).into_values())
        .collect()
}

#[test]
fn a_channel_is_made_for_each_chat_that_is_named_as_a_whole() {
    for (named, count) in [(vec![&SLACK[..]], 1), (vec![&TEAMS[..]], 1), (vec![&SLACK[..], &TEAMS[..]], 2)] {
        let stack = stack(&named);
        assert!(stack.is_accepted(), "{named:?}");
        assert_eq!(channels(&stack).len(), count, "{named:?}");
    }
    for half in [vec![], vec![&SLACK[..1]], vec![&SLACK[1..]], vec![&TEAMS[..2]], vec![&SLACK[..], &TEAMS[1..]]] {
        assert!(!stack(&half).is_accepted(), "{half:?}");
    }
}

#[test]
fn role_and_guardrail_of_every_channel_allow_to_press_a_button_and_nothing_else() {
    let stack = stack(&[&SLACK, &TEAMS]);
    let policy = stack.made("AWS::IAM::ManagedPolicy")["PressOnly"].clone();
    let statements = policy["PolicyDocument"]["Statement"].as_array().expect("statements");
    let function = "arn:aws:lambda:ap-northeast-2:123456789012:function:nightshift-press-button";
    let allowed =
        json!({ "Sid": "PressButton", "Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": function });
    assert_eq!(statements, &[allowed]);
    let role = stack.made("AWS::IAM::Role")["ChannelRole"].clone();
    assert_eq!((&role["ManagedPolicyArns"], &role["Policies"]), (&json!(["PressOnly"]), &Value::Null));
    let trusted =
        json!([{ "Effect": "Allow", "Principal": { "Service": "chatbot.amazonaws.com" }, "Action": "sts:AssumeRole" }]);
    assert_eq!(role["AssumeRolePolicyDocument"]["Statement"], trusted);
    for channel in channels(&stack) {
        assert_eq!(channel["GuardrailPolicies"], json!(["PressOnly"]));
        assert_eq!(channel["IamRoleArn"], "ChannelRole.Arn");
        assert_eq!(channel["SnsTopicArns"], json!([TOPIC.1]));
        assert_eq!(channel["UserRoleRequired"], "false");
    }
}

/// The function invokes those that the buttons are for, and its role lets through nothing that the channel could not mean.
#[test]
fn the_function_may_invoke_the_functions_of_the_buttons_alone() {
    let policy = Policy::of_role(&Stack::with(&[]), "PressButtonRole");
    let of_buttons: BTreeSet<&str> = Button::ALL.into_iter().map(Button::function).collect();
    for function in folders("functions") {
        let arn = format!("arn:aws:lambda:ap-northeast-2:123456789012:function:nightshift-{function}");
        let allowed = policy.allows(&Request::new("lambda:InvokeFunction", &arn));
        assert_eq!(allowed, of_buttons.contains(function.as_str()), "{function}");
    }
}

#[test]
fn each_button_sends_the_value_of_its_message_and_nothing_else() {
    let stack = stack(&[&SLACK]);
    let actions = stack.made("AWS::Chatbot::CustomAction");
    let mut labels = BTreeSet::new();
    for (id, action) in &actions {
        let command = action["Definition"]["CommandText"].as_str().expect("a text");
        let sent = format!(
            "lambda invoke --function-name nightshift-press-button --payload {{\"{}\":\"$b\"}} --region ap-northeast-2",
            Button::COMMAND
        );
        assert_eq!(command, sent, "{id}");
        let attachments = action["Attachments"].as_array().expect("attachments");
        assert_eq!(attachments.len(), 1, "{id}");
        let attachment = &attachments[0];
        assert_eq!(attachment["NotificationType"], "Custom", "{id}");
        assert_eq!(attachment["Criteria"], json!([{ "Operator": "HAS_VALUE", "VariableName": "b" }]), "{id}");
        let label = attachment["ButtonText"].as_str().expect("a text");
        let button = Button::ALL.into_iter().find(|it| it.label() == label).unwrap_or_else(|| panic!("{id}: {label}"));
        let path = format!("event.metadata.additionalContext.{}", button.name());
        assert_eq!(attachment["Variables"], json!({ "b": path }), "{id}");
        let name = action["ActionName"].as_str().expect("a name");
        assert!(name.ends_with(&format!("-{}", button.name())) && name.len() <= 64, "{name}");
        labels.insert(label.to_owned());
    }
    assert_eq!(labels, Button::ALL.into_iter().map(|it| it.label().to_owned()).collect());
    let ids: BTreeSet<&String> = actions.keys().collect();
    for channel in channels(&stack) {
        let attached = channel["CustomizationResourceArns"].as_array().expect("a list").iter();
        assert_eq!(
            attached.map(|it| it.as_str().expect("a name").to_owned()).collect::<BTreeSet<_>>(),
            ids.iter().map(|it| (*it).clone()).collect()
        );
    }
}

/// AWS's API takes no longer text, and CloudFormation would notice only while it makes the action. No region has a longer
/// name than 14 letters.
#[test]
fn the_command_fits_with_the_longest_name_of_a_stack_and_a_region() {
    let template = Template::chat();
    let longest = template.0["Parameters"]["Nightshift"]["MaxLength"].as_u64().expect("a limit");
    let longest = "n".repeat(usize::try_from(longest).expect("a small number"));
    let stack = Stack::chatting(&[("Nightshift", longest.as_str()), SLACK[0], SLACK[1], TOPIC]);
    for (id, action) in stack.made("AWS::Chatbot::CustomAction") {
        let length = action["Definition"]["CommandText"].as_str().expect("a text").len();
        assert_eq!(length, 100, "{id}");
    }
}

#[test]
fn every_parameter_is_explained_and_the_readme_says_how_to_deploy_it() {
    let template = Template::chat();
    let labelled = template.0["Metadata"]["AWS::CloudFormation::Interface"]["ParameterLabels"].clone();
    let readme = read("functions/press-button/README.md");
    for (name, parameter) in template.0["Parameters"].as_object().expect("parameters") {
        assert!(parameter["Description"].is_string() && labelled[name].is_object(), "{name} is not explained");
        assert!(readme.contains(name), "the README of press-button says nothing of {name}");
    }
}
