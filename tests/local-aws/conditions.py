"""CloudFormation: functions inside of a condition, of which MiniStack knows only Ref and Select."""

import re

from ministack.services.cloudformation import changesets, engine, handlers, stacks
from patching import wrap


def _evaluate(original, template, parameters):
    conditions = _filled(template.get("Conditions", {}), parameters)
    return original({**template, "Conditions": conditions}, parameters)


for _module in (engine, changesets, handlers, stacks):
    wrap(_module, "_evaluate_conditions")(_evaluate)


def _filled(value, parameters):
    """The value with Sub, Split, Join and Select worked out, as far as they are about parameters."""
    if isinstance(value, list):
        return [_filled(it, parameters) for it in value]
    if not isinstance(value, dict):
        return value
    value = {key: _filled(it, parameters) for key, it in value.items()}
    if "Fn::Sub" in value and isinstance(value["Fn::Sub"], str):
        return re.sub(r"\$\{(\w+)\}", lambda it: str(parameters[it[1]]["Value"]), value["Fn::Sub"])
    if "Fn::Split" in value and isinstance(value["Fn::Split"][1], str):
        return value["Fn::Split"][1].split(value["Fn::Split"][0])
    if "Fn::Join" in value and isinstance(value["Fn::Join"][1], list):
        return value["Fn::Join"][0].join(value["Fn::Join"][1])
    if "Fn::Select" in value and isinstance(value["Fn::Select"][1], list):
        return value["Fn::Select"][1][int(value["Fn::Select"][0])]
    return value
