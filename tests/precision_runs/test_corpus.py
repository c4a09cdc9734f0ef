"""Selection and split of the text: plain, without repeats, disjoint."""

import hashlib

import numpy as np

from benchmarks.precision_runs.corpus import cut, plain, sample, select
from benchmarks.precision_runs.model import CONTEXT


def test_plain_text_only():
    assert plain(b"The quick brown fox\n\tjumps.\r\n")
    assert not plain(b"")
    assert not plain(b"a zero \0 byte" + b"x" * 1000)
    assert not plain(bytes(range(128, 256)))


def test_selection_drops_repeats_and_respects_the_cap():
    documents = [b"one" * 200, b"two" * 200, b"one" * 200, b"three" * 200]
    selected = select(iter(documents), 2000)
    assert all(hashlib.sha256(text).hexdigest() == key for key, text in selected.items())
    assert sum(map(len, selected.values())) <= 2000
    assert len(select(iter(documents), 10_000)) == 3


def test_parts_are_disjoint_and_complete():
    documents = [bytes([i]) * 9 for i in range(200)]
    parts = cut(documents)
    assert [document for part in parts.values() for document in part] == documents
    assert all(parts.values())


def test_sequences_stay_inside_their_document_and_share_no_target():
    documents = [bytes([65 + i]) * (CONTEXT * 3 + 1 + i) for i in range(4)]
    rows, owners = sample(documents, 12, np.random.default_rng(0))
    assert rows.shape == (12, CONTEXT + 1)
    assert all(set(row) == {65 + owner} for row, owner in zip(rows, owners, strict=True))
    assert np.bincount(owners).tolist() == [3, 3, 3, 3]
