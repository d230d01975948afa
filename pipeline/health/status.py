"""`manage.py status`: the whole of it, also what only a command may take the time to count."""

from datetime import datetime
from typing import Any

from conversations.models import Delivery
from pipeline import queries
from pipeline.controls import words
from pipeline.controls.queries import not_ended
from pipeline.desk import desk
from pipeline.health import figures
from pipeline.health.problem import Problem
from pipeline.health.problems import problems
from pipeline.models import Outcome, Worker


def status(now: datetime) -> dict[str, Any]:
    """The object of the outside contract; scripts read it. What has no table yet is empty."""
    queue = queries.queue(now)
    outcomes = queries.outcomes_ever()
    outbox = queries.outbox_ever()
    return {
        "queue": {
            "pending": queue.pending,
            "oldest_age_s": round(queue.oldest_age(now).total_seconds(), 1),
            "in_flight": queue.in_flight,
        },
        "outcomes": {outcome.value: outcomes.get(outcome.value, 0) for outcome in Outcome},
        "events": {"total": sum(outcomes.values()) + queue.pending, "without_outcome": queue.pending},
        "outbox": {state.value: outbox.get(state.value, 0) for state in Delivery},
        "reviews_open": desk().waiting().open,
        "breakers": {breaker.name: breaker.state for breaker in queries.breakers()},
        "switches": [words.as_json(switch) for switch in not_ended()],
        "problems": [_problem(problem) for problem in problems(figures.read(now))],
        "workers": [_worker(worker) for worker in queries.workers_alive(now)],
    }


def _problem(problem: Problem) -> dict[str, str]:
    return {"subject": problem.subject, "title": problem.title, "advice": problem.advice}


def _worker(worker: Worker) -> dict[str, Any]:
    return {
        "name": worker.name,
        "kind": worker.kind,
        "host": worker.host,
        "pid": worker.pid,
        "in_flight": worker.in_flight,
        "seen_at": worker.seen_at.isoformat(),
    }
