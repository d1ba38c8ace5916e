"""Tasks that depend on one another become labels with groups, and are learned jointly."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consilience import DawidSkene, LabelMatrix, LabelModel, Labels, MajorityVote, Not, TaskGraph, apply, pattern, read
from consilience.errors import LabelError

TASKS = {"person": ["yes", "no"], "role": ["doctor", "lawyer", "none"]}
RULES = {"role": {"doctor": {"person": "yes"}, "lawyer": {"person": ["yes"]}}}
PAIRS = [("yes", "doctor"), ("yes", "lawyer"), ("yes", "none"), ("no", "none")]


@pytest.mark.parametrize(
    "feasible",
    [
        RULES,
        lambda each: each["role"] == "none" or each["person"] == "yes",
        PAIRS,
        reversed([*PAIRS, PAIRS[0]]),
        [dict(zip(TASKS, pair, strict=True)) for pair in PAIRS],
    ],
)
def test_feasible_combinations_may_be_said_in_three_ways(feasible):
    graph = TaskGraph(TASKS, feasible)
    assert [tuple(each.values()) for each in graph.combinations] == PAIRS
    assert graph.labels[0] == "person=yes, role=doctor"
    assert graph.labels.groups["role=none"] == ("person=yes, role=none", "person=no, role=none")
    assert graph.labels.groups["person=no"] == ("person=no, role=none",)
    assert repr(graph) == "TaskGraph(person: yes, no; role: doctor, lawyer, none; 4 feasible combinations)"


@given(st.sets(st.tuples(*[st.sampled_from("xyz")] * 3), min_size=1, max_size=27))
def test_groups_are_the_combinations_with_an_answer(allowed):
    tasks = {"a": "xyz", "b": "xyz", "c": "xyz"}
    useless = any(
        not 0 < sum(each[place] == name for each in allowed) < len(allowed) for place in range(3) for name in "xyz"
    )
    if useless:
        with pytest.raises(LabelError, match=r"\nFix: "):
            TaskGraph(tasks, allowed)
        return
    graph = TaskGraph(tasks, allowed)
    assert [tuple(each.values()) for each in graph.combinations] == sorted(allowed)
    for place, task in enumerate("abc"):
        for name in "xyz":
            held = graph.labels.meanings[graph.labels.vote_index(f"{task}={name}")]
            assert held.tolist() == [each[place] == name for each in sorted(allowed)]


@pytest.mark.parametrize(
    ("tasks", "feasible", "message"),
    [
        ({}, None, "0 tasks do not depend on one another"),
        ({"a": ["x", "y"]}, None, "1 tasks do not depend on one another"),
        ({"a": ["x", "y"], "": ["x", "y"]}, None, "'' cannot be a task"),
        ({"a": ["x", "x"], "b": ["x", "y"]}, None, "'x' is given twice"),
        ({"a": [], "b": ["x", "y"]}, None, "No labels were given"),
        ({"a": ["x"], "b": ["x", "y"]}, None, "Every feasible combination has a='x'"),
        ({"a=b": ["c", "x"], "a": ["b=c", "y"]}, None, "both called the same"),
        (TASKS, lambda each: False, "none is feasible"),
        (TASKS, [], "none is feasible"),
        (TASKS, PAIRS[:1], r"only \{'person': 'yes', 'role': 'doctor'\} is feasible"),
        (TASKS, PAIRS[:3], "Every feasible combination has person='yes'"),
        (TASKS, PAIRS[1:], "No feasible combination has role='doctor'"),
        (TASKS, [*PAIRS, ("yes",)], r"\('yes',\) is no combination"),
        (TASKS, [*PAIRS, 7], "7 is no combination"),
        (TASKS, {"role": {"doctor": "yes"}}, "'yes' is no rule"),
        (TASKS, {"role": "doctor"}, "'doctor' is no rule"),
        (TASKS, [*PAIRS, "yes"], "'yes' is no combination"),
        (TASKS, [*PAIRS, {"person": "yes"}], "is no combination"),
        (TASKS, [*PAIRS, ("yes", "docter")], "'docter' is not a label"),
        (TASKS, {"rôle": {"doctor": {"person": "yes"}}}, "the task 'rôle', which is none"),
        (TASKS, {"role": {"docter": {"person": "yes"}}}, "'docter' is not a label"),
        (TASKS, {"role": {"doctor": {"persn": "yes"}}}, "the task 'persn', which is none"),
        (TASKS, {"role": {"doctor": {"person": "maybe"}}}, "'maybe' is not a label"),
        ({f"t{i}": ["0", "1"] for i in range(12)}, None, "4,096 feasible combinations"),
        ({f"t{i}": ["0", "1"] for i in range(20)}, None, "1,048,576 combinations, too many to ask"),
    ],
)
def test_graphs_that_cannot_be_are_refused_with_a_fix(tasks, feasible, message):
    with pytest.raises(LabelError, match=rf"(?s){message}.*\nFix: "):
        TaskGraph(tasks, feasible)


def test_many_combinations_are_no_trouble_when_few_are_feasible():
    graph = TaskGraph({f"t{i}": ["0", "1"] for i in range(12)}, lambda each: [*each.values()].count("1") == 1)
    assert len(graph.labels) == 12 and len(graph.labels.groups) == 24


def test_functions_vote_on_one_task_and_answers_are_read_by_task():
    graph = TaskGraph(TASKS, RULES)
    rows = [{"text": "Dr Who"}, {"text": "rain"}, {"text": "a barrister"}, {"text": "x"}]
    functions = {
        "title": pattern("role=doctor", "^Dr "),
        "weather": pattern("person=no", "rain"),
        "court": pattern(Not("role=doctor", "person=no"), "barrister"),
        "bar": pattern(Not("role=none"), "bar"),
    }
    matrix = apply(functions, read(rows, labels=graph.labels))
    model = MajorityVote().fit(matrix)
    answers = graph.task_labels(model.predict(matrix))
    assert answers.rows() == [("yes", "doctor"), ("no", "none"), ("yes", "lawyer"), (None, None)]
    by_task = graph.task_probabilities(model.predict_proba(matrix))
    assert by_task["role"].columns == TASKS["role"] and by_task["person"]["yes"].to_list()[:3] == [1.0, 0.0, 1.0]
    assert matrix.where('court="person=yes"').ids.to_list() == [matrix.ids[2]]


def test_gold_is_named_by_its_combination():
    graph = TaskGraph(TASKS, RULES)
    assert graph.name_of({"role": "none", "person": "no"}) == "person=no, role=none"
    with pytest.raises(LabelError, match=r"is no feasible combination.\nFix"):
        graph.name_of({"role": "doctor", "person": "no"})
    with pytest.raises(LabelError, match="'nobody' is not a label"):
        graph.task_labels(["nobody"])


# learned jointly


def simulate_tasks(graph, n, functions, seed):
    """Rows with a feasible combination each, and votes on single tasks.

    returns: the joint matrix, a matrix for each task alone, true answers (n, tasks), the exact joint posterior (n, k).
    """
    rng = np.random.default_rng(seed)
    k = len(graph.combinations)
    truth = rng.integers(0, k, n)
    joint, alone, posterior = [], {}, np.ones((n, k))
    for task, labels in graph.tasks.items():
        answer = np.array([labels.index(each[task]) for each in graph.combinations])
        alone[task] = []
        for _ in range(functions):
            right, fires = rng.uniform(0.6, 0.85), rng.uniform(0.3, 0.6)
            says = np.full((len(labels), len(labels)), (1 - right) / (len(labels) - 1))
            np.fill_diagonal(says, right)
            vote = (rng.random((n, 1)) > says.cumsum(axis=1)[answer[truth]][:, :-1]).sum(axis=1)
            vote = np.where(rng.random(n) < fires, vote, -1)
            codes = [*(graph.labels.vote_index(f"{task}={name}") for name in labels), -1]
            joint.append(np.array(codes)[vote])
            alone[task].append(vote)
            for i in range(n):
                if vote[i] >= 0:
                    posterior[i] *= says[answer, vote[i]]
    posterior /= posterior.sum(axis=1, keepdims=True)
    matrices = {task: LabelMatrix.from_votes(np.array(votes).T, graph.tasks[task]) for task, votes in alone.items()}
    return LabelMatrix.from_votes(np.array(joint).T, graph.labels), matrices, truth, posterior


TREES = TaskGraph(
    {"kind": ["animal", "vehicle"], "thing": ["cat", "dog", "car", "van"], "wheels": ["none", "four"]},
    [("animal", "cat", "none"), ("animal", "dog", "none"), ("vehicle", "car", "four"), ("vehicle", "van", "four")],
)


@pytest.mark.parametrize(("graph", "gain"), [(TaskGraph(TASKS, RULES), 0.02), (TREES, 0.1)])
@pytest.mark.parametrize("make", [DawidSkene, LabelModel])
def test_tasks_fitted_jointly_are_better_than_alone_where_they_constrain_one_another(graph, gain, make):
    right = []
    for seed in range(3):
        matrix, matrices, truth, posterior = simulate_tasks(graph, 1500, 4, seed)
        learned = graph.task_probabilities(make().fit(matrix).predict_proba(matrix))
        best = graph.task_probabilities(posterior)
        for task, labels in graph.tasks.items():
            true = np.array([labels.index(each[task]) for each in graph.combinations])[truth]
            right.append(
                [
                    (best[task].to_numpy().argmax(axis=1) == true).mean(),
                    (learned[task].to_numpy().argmax(axis=1) == true).mean(),
                    (make().fit(matrices[task]).predict_codes(matrices[task]) == true).mean(),
                ]
            )
    best, jointly, alone = np.mean(right, axis=0)
    assert jointly > alone + gain and jointly > best - 0.02


def test_with_the_true_tables_task_probabilities_are_those_of_enumeration():
    graph = TaskGraph(TASKS, RULES)
    rng = np.random.default_rng(0)
    says = {task: rng.dirichlet(np.ones(len(labels) + 1), len(labels)) for task, labels in graph.tasks.items()}
    prior = np.array([0.4, 0.3, 0.2, 0.1])
    codes = {
        task: [-1, *(graph.labels.vote_index(f"{task}={name}") for name in labels)]
        for task, labels in graph.tasks.items()
    }
    pairs = [(a, b) for a, b in product(codes["person"], codes["role"])]
    matrix = LabelMatrix.from_votes(pairs, graph.labels, names=["person", "role"])
    model = DawidSkene().fit(matrix)
    model.theta_ = np.full((2, 4, len(graph.labels.votes) + 1), 1e-300)
    for j, (task, labels) in enumerate(graph.tasks.items()):
        for y, each in enumerate(graph.combinations):
            model.theta_[j, y, np.array(codes[task]) + 1] = says[task][labels.index(each[task])]
    model.prior_ = prior
    found = graph.task_probabilities(model.predict_proba(matrix))
    for i, (a, b) in enumerate(pairs):
        weights = {}
        for share, each in zip(prior, graph.combinations, strict=True):
            weight = share
            for task, vote in (("person", a), ("role", b)):
                weight *= says[task][graph.tasks[task].index(each[task]), codes[task].index(vote)]
            weights[tuple(each.values())] = weight
        for place, (task, labels) in enumerate(graph.tasks.items()):
            for name in labels:
                expected = sum(w for each, w in weights.items() if each[place] == name) / sum(weights.values())
                assert np.isclose(found[task][name][i], expected)
    assert isinstance(graph.labels, Labels)
