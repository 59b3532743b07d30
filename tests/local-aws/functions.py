"""Lambda: what a function finds in its environment."""

from ministack.services import lambda_svc
from patching import wrap


@wrap(lambda_svc, "_provided_worker_env")
def _provided_worker_env(original, config, *args, **kwargs):
    """Adds the logging configuration, which the runtime of a function has to follow by itself."""
    logging = config.get("LoggingConfig") or {}
    log = {"AWS_LAMBDA_LOG_FORMAT": logging.get("LogFormat", "Text")}
    if log["AWS_LAMBDA_LOG_FORMAT"] == "JSON":
        log["AWS_LAMBDA_LOG_LEVEL"] = logging.get("ApplicationLogLevel", "INFO")
    return {**original(config, *args, **kwargs), **log}
