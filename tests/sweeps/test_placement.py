"""Which worker works on which blocks."""

from fastgmm.sweeps.placement import shared_out


def test_everybody_works_on_what_it_holds() -> None:
    holders = [["a"], ["b"], ["b"], ["a"]]
    assert shared_out([5] * 4, holders, {"a": 1, "b": 1}) == {"a": [0, 3], "b": [1, 2]}


def test_nobody_has_two_blocks_more_than_anybody_else() -> None:
    holders = [["a"]] * 9 + [["b"]] * 7
    shares = shared_out([5] * 16, holders, {"a": 1, "b": 1, "c": 1})
    assert sorted(map(len, shares.values())) == [5, 5, 6]
    assert sorted(block for blocks in shares.values() for block in blocks) == list(range(16))


def test_a_block_more_is_not_worth_a_journey() -> None:
    holders = [["a"]] * 4 + [["b"]] * 3
    assert shared_out([5] * 7, holders, {"a": 1, "b": 1}) == {"a": [0, 1, 2, 3], "b": [4, 5, 6]}


def test_whoever_has_more_threads_has_more_rows() -> None:
    shares = shared_out([5] * 8, [["small"]] * 8, {"small": 1, "large": 3})
    assert {worker: len(blocks) for worker, blocks in shares.items()} == {"small": 2, "large": 6}


def test_a_block_of_several_holders_goes_to_the_one_with_less_to_do() -> None:
    holders = [["a", "b"], ["a"], ["a"]]
    assert shared_out([5] * 3, holders, {"a": 1, "b": 1}) == {"a": [1, 2], "b": [0]}


def test_rows_count_and_not_blocks() -> None:
    shares = shared_out([10, 10, 10, 30], [["a"]] * 4, {"a": 1, "b": 1})
    assert shares == {"a": [0, 1, 2], "b": [3]}


def test_who_is_gone_holds_nothing() -> None:
    shares = shared_out([5, 5], [["gone"], ()], {"a": 1, "b": 1})
    assert shares == {"a": [0], "b": [1]}


def test_without_blocks_there_is_nothing_to_do() -> None:
    assert shared_out([], [], {"a": 1}) == {}
