"""What things cost, and what happens when much of it happens at once. No tests: they take minutes, and tell figures.

__main__        script/bench: plans, beside the least they could cost and beside a naive one
world           the sandboxes with N tenants; turns: what is measured in them, by process, beside lean, floor and naive
figures         what was measured; goals: what it should have been; compare: with an earlier run; table: as Markdown
rotations       rotations that meet a fault at a random step
apply, ends     applies: calls, lanes and delays; those that are killed or interrupted
sandbox_tenants what tenants cost the sandbox
scale           plans of thousands of tenants of values; scale_mysql: what accounts and schemas cost MySQL itself
"""
