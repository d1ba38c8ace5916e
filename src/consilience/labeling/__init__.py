"""Labeling functions, applying them, and the label matrix with what it says of the functions: one idea a file.

contract    function (what every kind is; a batch), casting (one batch, all functions), fingerprint, state (what counts
            as a change)
kinds       keywords, lexicon, pattern, expression, python, model, lookup, neighbours, recorded, crowd
their parts phrases, phrase_kernels, letters, term_files (keywords, lexicon); conditions, needed, sieve, sieve_kernels
            (pattern, expression); preprocessors, memo, isolating (python, model); answers (crowd); nearest (neighbours)
applying    apply, running (Python functions, here or in workers), apply_multi, apply_files, apply_spark
the matrix  matrix, patterns, counted, query, summary
extension   extend, radii (votes carried over to near rows)
what next   agreement, mistakes (where functions clash and err); terms, beliefs, word_worth, suggest (functions);
            uncovered, next_rows, settle (rows and conflicts)
"""
