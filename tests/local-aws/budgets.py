"""AWS Budgets: figures other than MiniStack's eternal zero, and what IAM has to know of budgets."""

from ministack.core import iam_actions
from ministack.core.responses import get_account_id
from ministack.services import budgets, tagging
from patching import fields, wrap

# The operations that read have one action in IAM.
_OTHERWISE_NAMED = {"budgets:DescribeBudget": "budgets:ViewBudget", "budgets:DescribeBudgets": "budgets:ViewBudget"}


def change(name, actual=None, forecast=None):
    """Makes a budget one of which so much is spent and forecast, in its own currency."""
    budget = budgets._budgets[name]
    unit = budget["CalculatedSpend"]["ActualSpend"]["Unit"]
    for figure, amount in (("ActualSpend", actual), ("ForecastedSpend", forecast)):
        if amount is not None:
            budget["CalculatedSpend"][figure] = {"Amount": str(amount), "Unit": unit}
    return {"name": name, "spend": budget["CalculatedSpend"]}


@wrap(iam_actions, "extract_iam_action")
def _extract_iam_action(original, *args, **kwargs):
    action = original(*args, **kwargs)
    return _OTHERWISE_NAMED.get(action, action)


@wrap(iam_actions, "extract_resource_arn")
def _extract_resource_arn(original, service, method, path, headers, body, *args, **kwargs):
    if service != "budgets":
        return original(service, method, path, headers, body, *args, **kwargs)
    return fields(body).get("ResourceARN") or f"arn:aws:budgets::{get_account_id()}:budget/*"


@wrap(iam_actions, "request_tag_context")
def _request_tag_context(original, service, iam_action, body, params):
    """The keys that a call sets or removes, which Budgets spells its own way."""
    if service != "budgets":
        return original(service, iam_action, body, params)
    data = fields(body)
    keys = [tag["Key"] for tag in data.get("ResourceTags", ())] + data.get("ResourceTagKeys", [])
    return {"aws:TagKeys": keys} if keys else {}


def _collect():
    for arn, tags in budgets._tags.items():
        yield arn, tagging._normalise_flat(tags)


tagging._RESOURCE_TAG_COLLECTORS["budgets"] = _collect
