"""Lambda: what a function finds in its environment, and what becomes of a run that failed."""

import json

from ministack.services import eventbridge, lambda_svc
from patching import wrap


@wrap(lambda_svc, "_provided_worker_env")
def _provided_worker_env(original, config, *args, **kwargs):
    """Adds the logging configuration, which the runtime of a function has to follow by itself."""
    logging = config.get("LoggingConfig") or {}
    log = {"AWS_LAMBDA_LOG_FORMAT": logging.get("LogFormat", "Text")}
    if log["AWS_LAMBDA_LOG_FORMAT"] == "JSON":
        log["AWS_LAMBDA_LOG_LEVEL"] = logging.get("ApplicationLogLevel", "INFO")
    return {**original(config, *args, **kwargs), **log}


@wrap(eventbridge, "_dispatch_to_lambda")
def _dispatch_to_lambda(original, arn, payload):
    """Invokes as EventBridge does, asynchronously: with the function's retries and its on-failure destination."""
    function, config, _ = lambda_svc._get_func_record_for_ref(arn)
    if not function or not config:
        return original(arn, payload)
    return lambda_svc.invoke_async_with_retry(function, json.loads(payload))
