import asyncio

from executor_svc.application.pulse import Pulse
from tests.support.clock import ManualClock


def pulse_of(clock: ManualClock, ticks: list[float], *, go_on: bool = True) -> Pulse:
    def on_tick() -> bool:
        ticks.append(clock.monotonic())
        return go_on

    return Pulse(clock, on_tick, period=0.02, stall=0.2)


async def test_lived_time_is_time_less_what_the_loop_stood_still():
    clock = ManualClock()
    pulse = pulse_of(clock, [])
    start = pulse.lived()
    pulse.wake()
    for elapsed in (0.02, 0.15, 5.02, 0.02):
        clock.advance(elapsed)
        pulse.tick()
    assert abs(pulse.lived() - start - (0.02 + 0.15 + 0.02 + 0.02)) < 1e-6


async def test_it_ticks_only_while_there_is_something_to_look_after():
    clock, ticks = ManualClock(), []
    pulse = pulse_of(clock, ticks, go_on=False)
    pulse.wake()
    assert pulse.beating
    while not ticks:
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)
    assert not pulse.beating
    # A long rest is no stall.
    clock.advance(1000)
    before = pulse.stalled
    pulse.wake()
    clock.advance(0.02)
    pulse.tick()
    assert pulse.stalled == before == 0
