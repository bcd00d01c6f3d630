"""The table, and whether the aims are met."""

from statistics import median

COLD_RATIO = 20
MEMORY_MB = 15
ZIP_MB = 4
MEBI = 1024 * 1024


def rows(measured):
    """(what, unit, {contender: value}) for each line of the table, from the raw measurements."""
    lines = [
        ("cold: init (start to asking for work)", "ms", lambda m: 1000 * median(m["init"])),
        ("cold: first answer (event to answer)", "ms", lambda m: 1000 * median(m["first"])),
        ("cold: both, median", "ms", lambda m: 1000 * median(_cold(m))),
        ("cold: both, slowest", "ms", lambda m: 1000 * max(_cold(m))),
        ("warm: median", "ms", lambda m: 1000 * median(m["warm"])),
        ("warm: p99", "ms", lambda m: 1000 * percentile(m["warm"], 0.99)),
        ("memory: peak, first answer, median", "MB", lambda m: median(m["memory_first"]) / MEBI),
        ("memory: peak, after the warm calls", "MB", lambda m: m["memory_warm"] / MEBI),
        ("package: zip", "MB", lambda m: m["zip"] / MEBI),
    ]
    return [(what, unit, {name: value(m) for name, m in measured.items()}) for what, unit, value in lines]


def _cold(measured):
    return [init + first for init, first in zip(measured["init"], measured["first"])]


def percentile(values, share):
    """The smallest value that at least `share` of the values do not exceed."""
    ordered = sorted(values)
    rank = max(1, -(-round(share * 1_000_000) * len(ordered) // 1_000_000))
    return ordered[rank - 1]


def table(measured):
    """The whole table as text. In brackets: how many times what the first contender needs."""
    first, *others = measured
    head = f"{'':44}{first:>8}" + "".join(f"{name:>13}{'':9}" for name in others)
    lines = [head.rstrip()]
    for what, unit, values in rows(measured):
        line = f"{what + ', ' + unit:44}{values[first]:>8.2f}"
        for name in others:
            line += f"{values[name]:>13.2f}{'(' + format(values[name] / values[first], '.1f') + 'x)':>9}"
        lines.append(line)
    return "\n".join(lines)


def aims(measured):
    """(met, sentence) for each aim."""
    rust, node, *_ = measured.values()
    ratio = median(_cold(node)) / median(_cold(rust))
    memory = max(*rust["memory_first"], rust["memory_warm"]) / MEBI
    size = rust["zip"] / MEBI
    return [
        (ratio >= COLD_RATIO, f"cold start at most 1/{COLD_RATIO} of Node's: 1/{ratio:.1f}"),
        (memory < MEMORY_MB, f"memory under {MEMORY_MB} MB: {memory:.1f} MB at most in any run"),
        (size < ZIP_MB, f"zip under {ZIP_MB} MB: {size:.2f} MB"),
    ]
