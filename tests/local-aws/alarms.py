"""CloudWatch: a change of an alarm's state is an event on the bus, and runs the functions among the alarm's actions; and
the values of metrics are kept.
"""

import time

import clock
from events import emit
from ministack.core.concurrency import spawn_background
from ministack.core.responses import get_account_id, get_region
from ministack.services import cloudwatch, lambda_svc
from patching import wrap

_ACTIONS = {"ALARM": "AlarmActions", "OK": "OKActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}


@wrap(cloudwatch, "_evict_old_metrics")
def _evict_old_metrics(original):
    """MiniStack forgets a value after two weeks."""


@wrap(cloudwatch, "_dispatch_alarm_actions")
def _dispatch_alarm_actions(original, alarm, old_state, new_state, reason):
    # To the millisecond, as AWS dates it: two changes within a second are two.
    now = round(clock.now(), 3)
    alarm["StateUpdatedTimestamp"] = alarm["StateTransitionedTimestamp"] = now
    original(alarm, old_state, new_state, reason)
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{round(now * 1000) % 1000:03}+0000"
    change = {
        "alarmName": alarm["AlarmName"],
        "state": {"value": new_state, "reason": reason, "timestamp": moment},
        "previousState": {"value": old_state},
        "configuration": _configuration(alarm),
    }
    emit("aws.cloudwatch", "CloudWatch Alarm State Change", change, [alarm["AlarmArn"]])
    if alarm.get("ActionsEnabled", True):
        for action in alarm.get(_ACTIONS.get(new_state, ""), []):
            if ":lambda:" in action:
                _invoke(action, alarm, moment, change)


def _configuration(alarm):
    if "AlarmRule" in alarm:
        return {"alarmRule": alarm["AlarmRule"]}
    dimensions = {it["Name"]: it["Value"] for it in alarm.get("Dimensions", [])}
    metric = {"namespace": alarm.get("Namespace"), "name": alarm.get("MetricName"), "dimensions": dimensions}
    stat = {"metric": metric, "period": alarm.get("Period"), "stat": alarm.get("Statistic")}
    return {"metrics": [{"id": "m1", "metricStat": stat, "returnData": True}]}


def _invoke(function_arn, alarm, moment, change):
    function, config, _ = lambda_svc._get_func_record_for_ref(function_arn)
    if function and config:
        payload = {
            "source": "aws.cloudwatch", "alarmArn": alarm["AlarmArn"], "accountId": get_account_id(), "time": moment,
            "region": get_region(), "alarmData": change}
        spawn_background(lambda_svc.invoke_async_with_retry, function, payload, thread_name="nightshift-alarm")
