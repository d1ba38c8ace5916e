"""The loops of `LiveGraph`: each variable has a chain of its literals, so that a factor is found from its variables.

`first[v]` is the newest literal of variable v, `following[literal]` the one before it, `owner[literal]` its factor; -1
ends a chain. A factor that is gone keeps its literals, with function DEAD; who walks a chain passes them by.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from consilience.engines.compiled import compiled, inlined

DEAD = 255  # function of a factor that is gone


@compiled
def link(offsets, variable, owner, following, first, degree, begin, end):
    """Put the literals of factors begin..end-1 at the head of their variables' chains."""
    for f in range(begin, end):
        for literal in range(offsets[f], offsets[f + 1]):
            v = variable[literal]
            owner[literal] = f
            following[literal] = first[v]
            first[v] = literal
            degree[v] += 1


@inlined
def _same_literals(variable, value, clause, start, w_variable, w_value, w_clause, w_start, length):
    for j in range(length):
        if variable[start + j] != w_variable[w_start + j] or value[start + j] != w_value[w_start + j]:
            return False
        ours = clause[start + j] if len(clause) else 0
        theirs = w_clause[w_start + j] if len(w_clause) else 0
        if ours != theirs:
            return False
    return True


@compiled
def kill(
    function, offsets, variable, value, clause, weight, scale, owner, following, first, degree,
    w_function, w_offsets, w_variable, w_value, w_clause, w_weight, w_scale, found,
):  # fmt: skip
    """Mark each wanted factor dead, found in the shortest chain among its variables; give the first not there, or -1.

    found: (wanted,) gets their places. O(the chains walked).
    """
    for i in range(len(w_function)):
        w_start, length = w_offsets[i], w_offsets[i + 1] - w_offsets[i]
        best = w_variable[w_start]
        for j in range(1, length):
            if degree[w_variable[w_start + j]] < degree[best]:
                best = w_variable[w_start + j]
        found[i] = -1
        literal = first[best]
        while literal >= 0:
            f = owner[literal]
            if (
                function[f] == w_function[i]
                and weight[f] == w_weight[i]
                and scale[f] == w_scale[i]
                and offsets[f + 1] - offsets[f] == length
                and _same_literals(variable, value, clause, offsets[f], w_variable, w_value, w_clause, w_start, length)
            ):
                function[f] = DEAD
                found[i] = f
                break
            literal = following[literal]
        if found[i] < 0:
            return i
    return -1


@compiled
def factors_with_weight(function, weight, is_changed, out):
    """Places of live factors whose weight is among the changed; give their number. O(factors), a byte or five each."""
    n = 0
    for f in range(len(weight)):
        if is_changed[weight[f]] and function[f] != DEAD:
            out[n] = f
            n += 1
    return n


@compiled
def spread(function, offsets, variable, owner, following, first, evidence, seeds, crossable, label, order):
    """Walk from the seeds to all variables that hang together with them; give how many, and how many groups.

    crossable: (n,) bool: clamped variables that are crossed all the same. label: (n,) zeros; gets 1 + the group of each
    variable reached. order: gets the variables reached, group by group.
    """
    n_found, n_groups = 0, 0
    for seed in seeds:
        if label[seed] or (evidence[seed] >= 0 and not crossable[seed]):
            continue
        n_groups += 1
        label[seed] = n_groups
        order[n_found] = seed
        n_found += 1
        at = n_found - 1
        while at < n_found:
            literal = first[order[at]]
            while literal >= 0:
                f = owner[literal]
                if function[f] != DEAD:
                    for other in range(offsets[f], offsets[f + 1]):
                        u = variable[other]
                        if not label[u] and (evidence[u] < 0 or crossable[u]):
                            label[u] = n_groups
                            order[n_found] = u
                            n_found += 1
                literal = following[literal]
            at += 1
    return n_found, n_groups


@compiled
def joined_groups(offsets, variable, label, group):
    """Join the groups that a factor that is gone held together. group: (groups + 1,) gets the lowest one joined."""
    for f in range(len(offsets) - 1):
        anchor = 0
        for literal in range(offsets[f], offsets[f + 1]):
            g = label[variable[literal]]
            if g == 0:
                continue
            while group[g] != g:
                g = group[g]
            if anchor == 0:
                anchor = g
            elif g != anchor:
                low, high = min(g, anchor), max(g, anchor)
                group[high] = low
                anchor = low
    for g in range(len(group)):
        group[g] = group[group[g]]  # ascending: the lower one is final already


@compiled
def count_around(function, offsets, owner, following, first, variables, seen, which):
    """Live factors on any of the variables, each once, into `which`; give how many, and how many literals they have."""
    n, n_literals = 0, 0
    for v in variables:
        literal = first[v]
        while literal >= 0:
            f = owner[literal]
            if function[f] != DEAD and not seen[f]:
                seen[f] = True
                if n < len(which):
                    which[n] = f
                n += 1
                n_literals += offsets[f + 1] - offsets[f]
            literal = following[literal]
    return n, n_literals


@compiled
def copy_out(offsets, variable, value, clause, which, place, inside, out_offsets, out_variable, out_value, out_clause):
    """Literals of the chosen factors, their variables renumbered; give how many variables there are then.

    place: (n,) 1 + the new number of a variable, 0 if it has none yet. inside: gets the variables in their new order.
    """
    n = 0
    for i in range(len(inside)):
        if inside[i] < 0:
            break
        n += 1
    at = 0
    for i in range(len(which)):
        for literal in range(offsets[which[i]], offsets[which[i] + 1]):
            v = variable[literal]
            if place[v] == 0:
                inside[n] = v
                n += 1
                place[v] = n
            out_variable[at] = place[v] - 1
            out_value[at] = value[literal]
            if len(clause):
                out_clause[at] = clause[literal]
            at += 1
        out_offsets[i + 1] = at
    return n


@compiled
def degrees_of(variables, degree):
    """The length of all their chains together."""
    total = np.int64(0)
    for v in variables:
        total += degree[v]
    return total
