"""Systems Manager: the documents of a stack."""

from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services.cloudformation import provisioners

# By name: what CloudFormation was given, and the number of the default version.
_documents = {}


def _create(logical_id, properties, stack_name):
    name = properties.get("Name") or f"{stack_name}-{logical_id}-{new_uuid()[:12]}"
    _documents[name] = {"content": properties["Content"], "version": 1}
    return name, {}


def _update(physical_id, old, new, stack_name):
    """With `NewVersion` the name stays, and the new version is the default one."""
    if new.get("UpdateMethod") != "NewVersion":
        raise ValueError(f"{physical_id}: only UpdateMethod NewVersion is played")
    if new["Content"] != old["Content"]:
        _documents[physical_id] = {"content": new["Content"], "version": _documents[physical_id]["version"] + 1}
    return physical_id, {}


def _delete(physical_id, properties):
    _documents.pop(physical_id, None)


provisioners._RESOURCE_HANDLERS["AWS::SSM::Document"] = {"create": _create, "update": _update, "delete": _delete}


def document_arn(name):
    """The ARN that IAM knows a document of this account by."""
    return f"arn:aws:ssm:{get_region()}:{get_account_id()}:document/{name}"
