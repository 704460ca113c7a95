"""Which worker works on which blocks: on those that it holds, as long as no other one would be done much earlier."""

from collections.abc import Collection, Mapping, Sequence


def shared_out(
    sizes: Sequence[int], holders: Sequence[Collection[str]], threads: Mapping[str, int]
) -> dict[str, list[int]]:
    """The numbers of the blocks of each worker, in order; workers without any are left out.

    Each block goes to one who holds it. Then whoever has most to do for each of its threads hands over blocks, as long
    as another one is done with them before it would have been itself. So of blocks of one size, on workers alike,
    nobody has two more than anybody else.

    Parameters
    ----------
    sizes : sequence of int
        Rows of each block, positive.
    holders : sequence of collections of str
        The workers that hold each block; those that are not among ``threads`` are gone.
    threads : mapping of str to int
        How many threads each worker has.
    """
    load, own = dict.fromkeys(threads, 0), {worker: list[int]() for worker in threads}

    def duration(worker: str, more: int = 0) -> float:
        return (load[worker] + more) / threads[worker]

    def fastest(workers: Collection[str], size: int) -> str:
        return min(workers, key=lambda worker: duration(worker, size))

    present = [[worker for worker in some if worker in load] or list(load) for some in holders]
    for block in sorted(range(len(sizes)), key=lambda block: len(present[block])):  # those without a choice first
        worker = fastest(present[block], sizes[block])
        load[worker] += sizes[block]
        own[worker].append(block)
    while sizes:
        giver = max(load, key=duration)
        size = sizes[own[giver][-1]]
        taker = fastest(load, size)
        if duration(taker, size) >= duration(giver):
            break
        own[taker].append(own[giver].pop())
        load[taker] += size
        load[giver] -= size
    return {worker: sorted(blocks) for worker, blocks in own.items() if blocks}
