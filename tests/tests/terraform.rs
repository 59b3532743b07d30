//! `deploy/terraform`: its variables and outputs are the parameters and outputs of `template.yaml`, and all of it is HCL.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

use hcl_edit::expr::Expression;
use hcl_edit::structure::{Block, Body};
use nightshift_tests::sources::{read, root};
use nightshift_tests::template::Template;
use rules::budget::Expendable;
use rules::deploy::DeployRule;
use rules::remedy::RemedyRule;
use rules::retention::{BackupRule, KeepImages};
use rules::schedule::{Schedule, StackCalendar};
use serde_json::Value;

/// A file of the module, parsed.
fn hcl(path: &str) -> Body {
    read(path).parse().unwrap_or_else(|err| panic!("{path}: {err}"))
}

fn blocks<'a>(body: &'a Body, kind: &'a str) -> impl Iterator<Item = &'a Block> {
    body.blocks().filter(move |it| it.ident.as_str() == kind)
}

fn label(block: &Block) -> String {
    block.labels.last().map(|it| it.as_str().to_owned()).unwrap_or_default()
}

/// `TimeZone` is `time_zone` in Terraform.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

/// A text as HCL writes it.
fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace("${", "$${").replace("%{", "%%{");
    format!("\"{text}\"")
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The type of a parameter in Terraform, and its default.
fn kind_and_default(parameter: &Value) -> (&'static str, String) {
    let default = text(&parameter["Default"]);
    match parameter["Type"].as_str().expect("a parameter has a type") {
        "Number" => ("number", default),
        "CommaDelimitedList" => ("list(string)", format!("[{}]", quoted(&default))),
        _ if parameter["AllowedValues"] == serde_json::json!(["false", "true"]) => ("bool", default),
        _ => ("string", quoted(&default)),
    }
}

/// What the template checks of a parameter, so that a plan says it and not only the apply.
fn validations(name: &str, parameter: &Value) -> Vec<(String, String)> {
    let (kind, _) = kind_and_default(parameter);
    let mut found = Vec::new();
    if let (Some(allowed), true) = (parameter["AllowedValues"].as_array(), kind != "bool") {
        let texts: Vec<String> = allowed.iter().map(text).collect();
        let values: Vec<String> =
            texts.iter().map(|it| if kind == "number" { it.clone() } else { quoted(it) }).collect();
        let condition = format!("contains([{}], var.{name})", values.join(", "));
        found.push((condition, format!("Must be one of {}.", texts.join(", "))));
    }
    if let Some(pattern) = parameter["AllowedPattern"].as_str() {
        let matches = |value: &str| format!("can(regex({}, {value}))", quoted(pattern));
        let condition = match kind {
            "list(string)" => format!("alltrue([for it in var.{name} : {}])", matches("it")),
            _ => matches(&format!("var.{name}")),
        };
        found.push((condition, text(&parameter["ConstraintDescription"])));
    }
    for (limit, sign, word) in [("MinValue", ">=", "least"), ("MaxValue", "<=", "most")] {
        if let Some(value) = parameter[limit].as_u64() {
            found.push((format!("var.{name} {sign} {value}"), format!("Must be at {word} {value}.")));
        }
    }
    if let Some(most) = parameter["MaxLength"].as_u64() {
        found.push((format!("length(var.{name}) <= {most}"), format!("Must have at most {most} characters.")));
    }
    found
}

fn parameters(template: &Template) -> &serde_json::Map<String, Value> {
    template.0["Parameters"].as_object().expect("the template has parameters")
}

/// `variables.tf` as the template makes it: CloudFormation takes texts only, so `local.parameters` turns them into such.
fn variables_tf(template: &Template) -> String {
    let mut file =
        "# The parameters of template.yaml. A test holds this file to be what the template says, word by word.\n"
            .to_owned();
    for (name, parameter) in parameters(template) {
        let (kind, default) = kind_and_default(parameter);
        let snake = snake(name);
        let description = text(&parameter["Description"]);
        let description = quoted(&description.split_whitespace().collect::<Vec<_>>().join(" "));
        write!(
            file,
            "\nvariable \"{snake}\" {{\n  description = {description}\n  type        = {kind}\n  default     = {default}\n  nullable    = false\n"
        )
        .expect("a text can be written to");
        for (condition, message) in validations(&snake, parameter) {
            let message = quoted(&message);
            write!(file, "\n  validation {{\n    condition     = {condition}\n    error_message = {message}\n  }}\n")
                .expect("a text can be written to");
        }
        file.push_str("}\n");
    }
    file.push_str("\nlocals {\n  parameters = {\n");
    let width = parameters(template).keys().map(String::len).max().unwrap_or_default();
    for (name, parameter) in parameters(template) {
        let variable = format!("var.{}", snake(name));
        let value = match kind_and_default(parameter).0 {
            "list(string)" => format!("join(\",\", {variable})"),
            "string" => variable,
            _ => format!("tostring({variable})"),
        };
        writeln!(file, "    {name:<width$} = {value}").expect("a text can be written to");
    }
    file.push_str("  }\n}\n");
    file
}

/// `outputs.tf` as the template makes it.
fn outputs_tf(template: &Template) -> String {
    let mut file =
        "# The outputs of template.yaml. A test holds this file to be what the template says, word by word.\n"
            .to_owned();
    for (name, output) in template.0["Outputs"].as_object().expect("the template has outputs") {
        let stack = "aws_cloudformation_stack.nightshift.outputs";
        // What depends on a condition may not be there.
        let value = match output["Condition"].is_null() {
            true => format!("{stack}[\"{name}\"]"),
            false => format!("lookup({stack}, \"{name}\", null)"),
        };
        let description = quoted(&text(&output["Description"]));
        write!(file, "\noutput \"{}\" {{\n  description = {description}\n  value       = {value}\n}}\n", snake(name))
            .expect("a text can be written to");
    }
    file
}

/// Fails unless the file is what the template makes of it; leaves that beside the tests, ready to be copied.
fn is_made_from_the_template(path: &str, expected: &str) {
    if read(path) == expected {
        return;
    }
    let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join(path.rsplit('/').next().unwrap_or(path));
    fs::write(&made, expected).expect("the folder of the tests can be written to");
    panic!("{path} is not what template.yaml says; if the template is right: cp {} {path}", made.display());
}

#[test]
fn the_variables_are_the_parameters_of_the_template() {
    is_made_from_the_template("deploy/terraform/variables.tf", &variables_tf(&Template::read()));
}

#[test]
fn the_outputs_are_those_of_the_template() {
    is_made_from_the_template("deploy/terraform/outputs.tf", &outputs_tf(&Template::read()));
}

#[test]
fn each_variable_has_the_name_the_default_and_the_description_of_a_parameter_and_the_other_way_round() {
    let template = Template::read();
    let file = hcl("deploy/terraform/variables.tf");
    let read: BTreeMap<String, (String, String)> = blocks(&file, "variable")
        .map(|it| {
            let value = |name: &str| it.body.get_attribute(name).unwrap_or_else(|| panic!("{name} of {}", label(it)));
            let description = value("description").value.as_str().expect("a text").to_owned();
            let default = match &value("default").value {
                Expression::Array(values) => values.iter().filter_map(Expression::as_str).collect::<Vec<_>>().join(","),
                Expression::String(it) => it.as_str().to_owned(),
                other => other.to_string().trim().to_owned(),
            };
            (label(it), (default, description))
        })
        .collect();
    let wanted: BTreeMap<String, (String, String)> = parameters(&template)
        .iter()
        .map(|(name, it)| {
            let description = text(&it["Description"]).split_whitespace().collect::<Vec<_>>().join(" ");
            (snake(name), (text(&it["Default"]), description))
        })
        .collect();
    assert_eq!(read, wanted);
}

#[test]
fn each_parameter_is_passed_to_the_stack_and_nothing_else_but_where_the_code_is() {
    let file = hcl("deploy/terraform/variables.tf");
    let locals = blocks(&file, "locals").next().expect("the module has locals");
    let passed = locals.body.get_attribute("parameters").expect("parameters").value.as_object().expect("an object");
    let passed: BTreeSet<String> =
        passed.iter().filter_map(|(key, _)| Some(key.as_ident()?.as_str().to_owned())).collect();
    let wanted: BTreeSet<String> = parameters(&Template::read()).keys().cloned().collect();
    assert_eq!(passed, wanted);
    let main = read("deploy/terraform/main.tf");
    assert!(main.contains(
        "parameters = merge(local.parameters, {\n    CodeBucket = local.bucket\n    CodePrefix = local.prefix\n  })"
    ));
}

/// The variables of the module itself have names that no parameter has.
#[test]
fn every_variable_that_is_used_exists_and_every_variable_is_used() {
    let module = ["main.tf", "module.tf", "variables.tf", "outputs.tf"].map(|it| format!("deploy/terraform/{it}"));
    let declared: Vec<String> =
        module.iter().flat_map(|it| blocks(&hcl(it), "variable").map(label).collect::<Vec<_>>()).collect();
    let used: BTreeSet<String> = module
        .iter()
        .flat_map(|it| {
            let text = read(it);
            let names = text
                .split("var.")
                .skip(1)
                .map(|rest| rest.chars().take_while(|it| it.is_ascii_alphanumeric() || *it == '_').collect::<String>());
            names.collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(declared.iter().cloned().collect::<BTreeSet<_>>(), used);
    assert_eq!(declared.len(), used.len(), "a variable is declared twice: {declared:?}");
}

/// The tags of a resource, as the code says them.
fn tags(resource: &Block) -> Vec<(String, String)> {
    let Some(tags) = resource.body.get_attribute("tags") else { return Vec::new() };
    let tags = tags.value.as_object().expect("tags are an object").iter();
    let text = |it: &Expression| it.as_str().map(str::to_owned);
    tags.filter_map(|(key, value)| Some((text(key.as_expr()?)?, text(value.expr())?))).collect()
}

fn ignored(resource: &Block) -> BTreeSet<String> {
    let lifecycle = blocks(&resource.body, "lifecycle").next();
    let ignored = lifecycle.and_then(|it| it.body.get_attribute("ignore_changes")?.value.as_array());
    let names = ignored.into_iter().flat_map(|it| it.iter().map(|name| name.to_string().trim().to_owned()));
    names.collect()
}

#[test]
fn the_example_ignores_what_nightshift_changes_and_its_tags_can_be_read() {
    let example = hcl("deploy/terraform/example/main.tf");
    let mut kinds = BTreeSet::new();
    for resource in blocks(&example, "resource") {
        let kind = resource.labels[0].as_str();
        kinds.insert(kind.to_owned());
        let (name, ignored) = (label(resource), ignored(resource));
        for (key, value) in tags(resource) {
            let wrong = match key.as_str() {
                "nightshift:deploy" => value.parse::<DeployRule>().err().map(|it| it.to_string()),
                "nightshift:backup" => value.parse::<BackupRule>().err().map(|it| it.to_string()),
                "nightshift:remedy" => value.parse::<RemedyRule>().err().map(|it| it.to_string()),
                "nightshift:schedule" => {
                    Schedule::read(&value, &StackCalendar::default()).err().map(|it| it.to_string())
                }
                "nightshift:budget" => value.parse::<Expendable>().err().map(|it| it.to_string()),
                "nightshift:keep-images" => value.parse::<KeepImages>().err().map(|it| it.to_string()),
                other => Some(format!("{other} is not a tag of Nightshift")),
            };
            assert_eq!(wrong, None, "{name}");
            let changed = match (kind, key.as_str()) {
                ("aws_ecs_service", "nightshift:deploy") => "task_definition",
                ("aws_ecs_service", "nightshift:schedule" | "nightshift:budget") => "desired_count",
                _ => continue,
            };
            assert!(ignored.contains(changed), "{name} has {key}, so it has to ignore {changed}");
        }
        if kind == "aws_appautoscaling_target" {
            let all = ["max_capacity", "min_capacity", "suspended_state"].map(str::to_owned);
            assert_eq!(ignored, BTreeSet::from(all), "{name}");
        }
    }
    let shown = [
        "aws_appautoscaling_target",
        "aws_cloudwatch_metric_alarm",
        "aws_db_instance",
        "aws_ecr_repository",
        "aws_ecs_service",
    ];
    assert_eq!(kinds, BTreeSet::from(shown.map(str::to_owned)));
    assert!(root().join("deploy/terraform/README.md").exists());
}
