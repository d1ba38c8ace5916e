"""The compiled loops under `phrases`: enter phrases into a table, look for them in texts. Imported when first needed.

A phrase is known by the hashes of its beginnings. A token is a run of letters, or one other character that is not
white space. "check out" has two beginnings that end with a token, "check" and "check out"; the table holds each by its
hash. A text is walked from each of its tokens, token by token, for as long as what was walked begins some phrase. A
hash that is met may lie, so what ends a phrase is compared with it character by character.

An entry is 64 bits: 32 of the hash, then the phrase that ends here plus one (31 bits), then whether one goes on.
"""

# mypy: disable-error-code="no-untyped-def, assignment"

from __future__ import annotations

import numpy as np

from consilience.engines.compiled import compiled, inlined
from consilience.labeling.letters import N_CASED, SPACE, WORD

BLOCK = 1024  # bytes of a row that are cut into tokens before they are looked up
ALONE, LOW = np.uint8(0x80), np.uint8(0x7F)  # bit of a character that is a token by itself, and the others
Place = np.uintp  # an index that is never negative: what counts from the end costs a branch each time
BLANK = 32  # what white space of any length is in a phrase
LETTER_STEP = np.uint64(0x9E3779B97F4A7C15)
MIX_STEP = np.uint64(0xD6E8FEB86659FD93)
HALF = np.uint64(32)
ONE = np.uint64(1)
NOTHING = np.uint64(0)


@inlined
def decoded(text, place):
    """The character that begins at a byte, and the byte behind it."""
    first = np.uint32(text[place])
    if first < 0x80:
        return first, place + 1
    second = np.uint32(text[place + 1] & 0x3F)
    if first < 0xE0:
        return (first & np.uint32(0x1F)) << 6 | second, place + 2
    third = np.uint32(text[place + 2] & 0x3F)
    if first < 0xF0:
        return (first & np.uint32(0x0F)) << 12 | second << 6 | third, place + 3
    return (first & np.uint32(0x07)) << 18 | second << 12 | third << 6 | np.uint32(text[place + 3] & 0x3F), place + 4


@inlined
def one_case(folded, character):
    """The one case of a character."""
    return folded[character] if character < N_CASED else character


@inlined
def longer(state, character):
    """The hash of what was hashed, with one more character."""
    return (state ^ np.uint64(character)) * LETTER_STEP


@inlined
def mixed(state):
    """A hash whose bits are all as good as any other."""
    state = (state ^ (state >> HALF)) * MIX_STEP
    return state ^ (state >> HALF)


@inlined
def token(text, place, end, kinds, folded, plain, state):
    """Read the token that begins here: the byte behind it, and the hash with it added. White space gives its place."""
    first, after = decoded(text, place)
    kind = kinds[first]
    if kind == SPACE:
        return place, state
    state = longer(state, one_case(folded, first))
    if kind != WORD:
        return after, state
    while after < end:
        letter = plain[text[after]]
        if letter == 0:
            return after, state
        if letter != 255:
            state = longer(state, letter)
            after += 1
            continue
        character, behind = decoded(text, after)
        if kinds[character] != WORD:
            return after, state
        state = longer(state, one_case(folded, character))
        after = behind
    return after, state


@inlined
def past_space(text, place, end, kinds):
    """The first byte from here on that is not of white space."""
    while place < end:
        character, after = decoded(text, place)
        if kinds[character] != SPACE:
            break
        place = after
    return place


@inlined
def slot_of(table, hashed):
    """Where the entry of a hash is, or would be."""
    mask = np.uint64(len(table) - 1)
    slot = hashed & mask
    tag = hashed >> HALF
    while table[slot] != NOTHING and table[slot] >> HALF != tag:
        slot = (slot + ONE) & mask
    return slot


@inlined
def same(text, place, stop, phrase, start, end, kinds, folded):
    """Whether a stretch of text is the phrase, whatever the case (if it does not count) and the white space.

    Nor is a tuple of arrays taken apart in here: see `beginnings`.
    """
    while place < stop and start < end:
        wanted, start = decoded(phrase, start)
        found, place = decoded(text, place)
        if kinds[found] == SPACE:
            if kinds[wanted] != SPACE:
                return False
            place = past_space(text, place, stop, kinds)
        elif one_case(folded, found) != one_case(folded, wanted):
            return False
    return place == stop and start == end


@compiled
def count_tokens(text, offsets, letters):
    """How many tokens all phrases have: as many entries a table needs at most."""
    kinds, folded, plain = letters
    n = 0
    for phrase in range(len(offsets) - 1):
        place, end = offsets[phrase], offsets[phrase + 1]
        while place < end:
            after, _ = token(text, place, end, kinds, folded, plain, NOTHING)
            n += after > place
            place = past_space(text, place, end, kinds) if after == place else after
    return n


@compiled
def enter(phrases, offsets, letters, seed, table, first_bits, terms):
    """Enter phrases (of single spaces) into an empty table. terms: filled with the first phrase each one equals.

    returns: whether all went in; if not, two phrases have one hash, and another seed will do.
    """
    kinds, folded, plain = letters
    bits = np.uint64(len(first_bits) - 1)
    for phrase in range(len(offsets) - 1):
        place, end = offsets[phrase], offsets[phrase + 1]
        begun, state = place, seed
        while place < end:
            after, state = token(phrases, place, end, kinds, folded, plain, state)
            if after == place:  # white space: one blank
                state = longer(state, BLANK)
                place += 1
                continue
            hashed = mixed(state)
            slot = slot_of(table, hashed)
            if table[slot] == NOTHING:
                table[slot] = hashed >> HALF << HALF
            if place == begun:
                first_bits[hashed >> HALF & bits] = 1
            place = after
            if place < end:
                table[slot] |= ONE
                continue
            term = np.int64((table[slot] & np.uint64(0xFFFFFFFF)) >> ONE) - 1
            if term < 0:
                term = phrase
                table[slot] |= np.uint64(phrase + 1) << ONE
            elif not same(phrases, begun, end, phrases, offsets[term], offsets[term + 1], kinds, folded):
                return False
            terms[phrase] = term
    return True


@inlined
def step(text, place, end, kinds, folded, plain, table, state):
    """One token further in a walk: the byte behind it, the hash, and the entry of what was walked (0: none)."""
    after = past_space(text, place, end, kinds)
    if after > place:
        state = longer(state, BLANK)
    if after >= end:
        return end, state, NOTHING
    place, state = token(text, after, end, kinds, folded, plain, state)
    return place, state, table[slot_of(table, mixed(state))]


@inlined
def ends_here(entry, text, start, place, phrases, offsets, kinds, folded):
    """The phrase that the walked text is, or -1."""
    term = np.int64((entry & np.uint64(0xFFFFFFFF)) >> ONE) - 1
    if term >= 0 and same(text, start, place, phrases, offsets[term], offsets[term + 1], kinds, folded):
        return term
    return -1


@inlined
def beginnings(text, place, end, letters, first_bits, codes, seed, starts, ends, states):
    """The tokens from here on, of a block of bytes, with which a phrase may begin.

    starts, ends, states: filled with where each begins and ends, and its hash. returns: how many, and the byte to go on
    from. No tuple of arrays is taken apart in here: that would count references once a row, which takes half the time.
    """
    stop = min(place + BLOCK, end)
    n, before, high, start, state = tokens_of_block(text, place, stop, codes, seed, starts, ends, states)
    cut = (before != 0) & (before < ALONE) & (stop < end)  # perhaps in the midst of a word
    if high >= ALONE or (cut and start == place):  # not all ASCII, or a word longer than a block
        n, stop = tokens_slowly(
            text, place, place + 1 if high < ALONE else stop, end, letters, seed, starts, ends, states
        )
    elif cut:
        stop = start  # the next block has all of the word
    else:
        starts[Place(n)], ends[Place(n)], states[Place(n)] = start, stop, state
        n += before != 0
    return chosen(n, first_bits, starts, ends, states), stop


@inlined
def tokens_of_block(text, place, stop, codes, seed, starts, ends, states):
    """Tokens of ASCII, without branching, for no processor foresees where words end.

    returns: how many have ended; then the last character's code, all bytes or-ed, and start and hash of the last token.
    """
    n, start, state = Place(0), Place(place), seed
    before, high = np.uint8(0), np.uint8(0)
    for at in range(Place(place), Place(stop)):
        byte = text[at]
        high |= byte
        code = codes[byte]
        alone = (code | before) >= ALONE
        starts[n], ends[n], states[n] = start, at, state
        n += Place((before != 0) & ((code == 0) | alone))
        fresh = alone | (before == 0)
        start = at if fresh else start
        state = longer(seed if fresh else state, code & LOW)
        before = code
    return np.int64(n), before, high, np.int64(start), state


@inlined
def chosen(n, first_bits, starts, ends, states):
    """Keep of n tokens those with which a phrase may begin; how many they are."""
    bits = np.uint64(len(first_bits) - 1)
    kept = Place(0)
    for number in range(Place(n)):
        start, end, state = starts[number], ends[number], states[number]
        starts[kept], ends[kept], states[kept] = start, end, state
        kept += Place(first_bits[mixed(state) >> HALF & bits])
    return np.int64(kept)


@compiled
def tokens_slowly(text, place, stop, end, letters, seed, starts, ends, states):
    """What `tokens_of_block` gives, for any characters: the tokens that begin before `stop`."""
    kinds, folded, plain = letters
    n = 0
    while place < stop:
        after, state = token(text, place, end, kinds, folded, plain, seed)
        if after == place:
            place = past_space(text, place, end, kinds)
            continue
        starts[n], ends[n], states[n] = place, after, state
        n += 1
        place = after
    return n, place


@compiled
def mark(text, text_offsets, first, letters, automaton, owners, flags, counts, n_groups):
    """Set flags and count terms for rows, the first of which is called `first`.

    owners: of term t, owner_offsets[t] to [t + 1] of slots; groups: of each slot; -1: it has flags (n_flags, rows),
    else counts of distinct terms (slots - n_flags, rows), for which only the longest of the terms that begin at a place
    counts, and none that begins within the one before it.
    """
    table, first_bits, codes, phrases, offsets, seed = automaton
    kinds, folded, plain = letters
    owner_offsets, slots, groups = owners
    starts, ends = np.empty(BLOCK + 1, np.int64), np.empty(BLOCK + 1, np.int64)
    states = np.empty(BLOCK + 1, np.uint64)
    seen = np.full(len(slots), -1, np.int64)
    best_term, best_end = np.full(n_groups, -1, np.int64), np.zeros(n_groups, np.int64)
    taken = np.zeros(n_groups, np.int64)
    for row in range(first, first + len(text_offsets) - 1):
        place, end = text_offsets[row - first], text_offsets[row - first + 1]
        taken[:] = place
        while place < end:
            n, place = beginnings(text, place, end, letters, first_bits, codes, seed, starts, ends, states)
            for number in range(n):
                start, stop, state, waits = starts[number], ends[number], states[number], False
                entry = table[slot_of(table, mixed(state))]
                while entry != NOTHING:
                    term = ends_here(entry, text, start, stop, phrases, offsets, kinds, folded)
                    if term >= 0:
                        for owner in range(owner_offsets[term], owner_offsets[term + 1]):
                            group = groups[slots[owner]]
                            if group < 0:
                                flags[slots[owner], row] = True
                            elif start >= taken[group]:
                                best_term[group], best_end[group], waits = term, stop, True
                    if entry & ONE == NOTHING:
                        break
                    stop, state, entry = step(text, stop, end, kinds, folded, plain, table, state)
                if not waits:
                    continue
                for group in range(n_groups):
                    term = best_term[group]
                    if term < 0:
                        continue
                    best_term[group], taken[group] = -1, best_end[group]
                    for owner in range(owner_offsets[term], owner_offsets[term + 1]):
                        if groups[slots[owner]] == group and seen[owner] != row:
                            seen[owner] = row
                            counts[slots[owner] - len(flags), row] += 1


@compiled
def longest(text, text_offsets, first, letters, automaton):
    """The leftmost-longest terms of rows, none within another. returns: (n, 4) row, start, end, term.

    row: counted from `first`. start, end: in characters of the row.
    """
    table, first_bits, codes, phrases, offsets, seed = automaton
    kinds, folded, plain = letters
    starts, ends = np.empty(BLOCK + 1, np.int64), np.empty(BLOCK + 1, np.int64)
    states = np.empty(BLOCK + 1, np.uint64)
    spans = np.empty((1024, 4), np.int64)
    n_spans = 0
    for row in range(first, first + len(text_offsets) - 1):
        place, end = text_offsets[row - first], text_offsets[row - first + 1]
        counted, characters = place, 0
        while place < end:
            n, place = beginnings(text, place, end, letters, first_bits, codes, seed, starts, ends, states)
            for number in range(n):
                start, stop, state = starts[number], ends[number], states[number]
                if start < counted:
                    continue
                best, best_end = np.int64(-1), start
                entry = table[slot_of(table, mixed(state))]
                while entry != NOTHING:
                    term = ends_here(entry, text, start, stop, phrases, offsets, kinds, folded)
                    if term >= 0:
                        best, best_end = term, stop
                    if entry & ONE == NOTHING:
                        break
                    stop, state, entry = step(text, stop, end, kinds, folded, plain, table, state)
                if best < 0:
                    continue
                if n_spans == len(spans):
                    spans = np.concatenate((spans, np.empty_like(spans)))
                begins = characters + n_characters(text, counted, start)
                characters = begins + n_characters(text, start, best_end)
                counted = best_end
                spans[n_spans] = (row, begins, characters, best)
                n_spans += 1
    return spans[:n_spans]


@compiled
def n_characters(text, start, stop):
    """Characters in a stretch of bytes."""
    n = 0
    for place in range(start, stop):
        n += text[place] & 0xC0 != 0x80
    return n
