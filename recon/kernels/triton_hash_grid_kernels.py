"""The kernels behind `recon.kernels.triton_hash_grid`, which says how they work.

Pointers are to contiguous tensors: points [count, 3], table [entries, features], weights [count,
levels], features and their gradients [count, levels * features]; scales and layout as
`triton_hash_grid` makes them. In uint32, as the definition has it, indices overflow on purpose.
"""

from typing import no_type_check

from recon.kernels.triton_door import jit, tl


@jit
@no_type_check
def _along(points, at, inside, axis: tl.constexpr, scale):
    """Cell along one axis, as the integer that indices are made of, and place within the cell."""
    place = tl.load(points + at * 3 + axis, mask=inside, other=0.0) * scale + 0.5
    cell = tl.floor(place)
    return cell.to(tl.int32).to(tl.uint32, bitcast=True), place - cell


@jit
@no_type_check
def _cells(points, at, inside, scale):
    """Cells of points along x, y and z, then their places in them."""
    x, along_x = _along(points, at, inside, 0, scale)
    y, along_y = _along(points, at, inside, 1, scale)
    z, along_z = _along(points, at, inside, 2, scale)
    return x, y, z, along_x, along_y, along_z


@jit
@no_type_check
def _level(layout, level):
    """First entry, entries, whether dense, and the three steps of a level."""
    row = layout + level * 6
    first = tl.load(row).to(tl.int64)
    size = tl.load(row + 1).to(tl.uint32, bitcast=True)
    dense = tl.load(row + 2) != 0
    step_x = tl.load(row + 3).to(tl.uint32, bitcast=True)
    step_y = tl.load(row + 4).to(tl.uint32, bitcast=True)
    step_z = tl.load(row + 5).to(tl.uint32, bitcast=True)
    return first, size, dense, step_x, step_y, step_z


@jit
@no_type_check
def _corner(x, y, z, level, number: tl.constexpr):
    """Table row of the corner of each cell: bits of `number` say which way along x, y and z."""
    first, size, dense, step_x, step_y, step_z = level
    of_x = (x + (number & 1)) * step_x
    of_y = (y + ((number >> 1) & 1)) * step_y
    of_z = (z + (number >> 2)) * step_z
    through = of_x + of_y + of_z
    # within the cube a vertex is below twice the size; beyond it, any entry of the level will do
    through = tl.minimum(tl.where(through >= size, through - size, through), size - 1)
    hashed = (of_x ^ of_y ^ of_z) & (size - 1)
    return first + tl.where(dense, through, hashed).to(tl.int64)


@jit
@no_type_check
def _share(along, number: tl.constexpr, axis: tl.constexpr):
    """Part of the trilinear weight that one axis gives to a corner."""
    return along if (number >> axis) & 1 else 1.0 - along


@jit
@no_type_check
def values(
    points,
    table,
    weights,
    scales,
    layout,
    out,
    count,
    levels: tl.constexpr,
    features: tl.constexpr,
    weighted: tl.constexpr,
    block: tl.constexpr,
):
    """Features of a block of points on one level: program ids are block and level."""
    at = (tl.program_id(0) * block + tl.arange(0, block)).to(tl.int64)
    inside = at < count
    level = tl.program_id(1)
    scale = tl.load(scales + level)
    where = _level(layout, level)
    x, y, z, along_x, along_y, along_z = _cells(points, at, inside, scale)
    feature = tl.arange(0, features)[None, :]
    total = tl.zeros((block, features), dtype=tl.float32)
    for number in tl.static_range(8):
        row = _corner(x, y, z, where, number)
        share = _share(along_x, number, 0) * _share(along_y, number, 1) * _share(along_z, number, 2)
        entry = tl.load(table + row[:, None] * features + feature, mask=inside[:, None], other=0.0)
        total += share[:, None] * entry.to(tl.float32)
    if weighted:
        total *= tl.load(weights + at * levels + level, mask=inside, other=0.0)[:, None]
    column = out + at[:, None] * (levels * features) + level * features + feature
    tl.store(column, total, mask=inside[:, None])


@jit
@no_type_check
def table_gradient(
    points,
    weights,
    scales,
    layout,
    grad,
    of_table,
    count,
    levels: tl.constexpr,
    features: tl.constexpr,
    weighted: tl.constexpr,
    block: tl.constexpr,
):
    """Adds to the table what a block of points passes back on one level."""
    at = (tl.program_id(0) * block + tl.arange(0, block)).to(tl.int64)
    inside = at < count
    level = tl.program_id(1)
    scale = tl.load(scales + level)
    where = _level(layout, level)
    x, y, z, along_x, along_y, along_z = _cells(points, at, inside, scale)
    feature = tl.arange(0, features)[None, :]
    column = grad + at[:, None] * (levels * features) + level * features + feature
    upstream = tl.load(column, mask=inside[:, None], other=0.0)
    if weighted:
        upstream *= tl.load(weights + at * levels + level, mask=inside, other=0.0)[:, None]
    for number in tl.static_range(8):
        row = _corner(x, y, z, where, number)
        share = _share(along_x, number, 0) * _share(along_y, number, 1) * _share(along_z, number, 2)
        entry = of_table + row[:, None] * features + feature
        tl.atomic_add(entry, share[:, None] * upstream, mask=inside[:, None], sem="relaxed")


@jit
@no_type_check
def input_gradients(
    points,
    weights,
    scales,
    layout,
    grad,
    table,
    of_points,
    of_weights,
    count,
    levels: tl.constexpr,
    features: tl.constexpr,
    weighted: tl.constexpr,
    block: tl.constexpr,
):
    """Gradients of a block of points and their weights, level after level."""
    at = (tl.program_id(0) * block + tl.arange(0, block)).to(tl.int64)
    inside = at < count
    feature = tl.arange(0, features)[None, :]
    of_x = tl.zeros((block,), dtype=tl.float32)
    of_y = tl.zeros((block,), dtype=tl.float32)
    of_z = tl.zeros((block,), dtype=tl.float32)
    for level in range(levels):
        scale = tl.load(scales + level)
        where = _level(layout, level)
        x, y, z, along_x, along_y, along_z = _cells(points, at, inside, scale)
        column = grad + at[:, None] * (levels * features) + level * features + feature
        upstream = tl.load(column, mask=inside[:, None], other=0.0)
        by_x = tl.zeros((block,), dtype=tl.float32)
        by_y = tl.zeros((block,), dtype=tl.float32)
        by_z = tl.zeros((block,), dtype=tl.float32)
        by_weight = tl.zeros((block,), dtype=tl.float32)
        for number in tl.static_range(8):
            row = _corner(x, y, z, where, number)
            place = table + row[:, None] * features + feature
            entry = tl.load(place, mask=inside[:, None], other=0.0).to(tl.float32)
            felt = tl.sum(entry * upstream, axis=1)
            in_x = _share(along_x, number, 0)
            in_y = _share(along_y, number, 1)
            in_z = _share(along_z, number, 2)
            by_weight += in_x * in_y * in_z * felt
            # the derivative of a share is 1 for the upper corner and -1 for the lower
            by_x += (2 * (number & 1) - 1) * in_y * in_z * felt
            by_y += (2 * ((number >> 1) & 1) - 1) * in_x * in_z * felt
            by_z += (2 * (number >> 2) - 1) * in_x * in_y * felt
        factor = scale
        if weighted:
            tl.store(of_weights + at * levels + level, by_weight, mask=inside)
            factor = scale * tl.load(weights + at * levels + level, mask=inside, other=0.0)
        of_x += by_x * factor
        of_y += by_y * factor
        of_z += by_z * factor
    tl.store(of_points + at * 3, of_x, mask=inside)
    tl.store(of_points + at * 3 + 1, of_y, mask=inside)
    tl.store(of_points + at * 3 + 2, of_z, mask=inside)
