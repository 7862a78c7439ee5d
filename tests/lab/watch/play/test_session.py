"""The playground's process: one at most, begun when somebody looks and ended when nobody does."""

import asyncio
import json
import sys

from anglewise.lab.watch.play.session import Session

ECHO = """
import json, sys
print(json.dumps({"what": "ready"}), flush=True)
for line in sys.stdin:
    command = json.loads(line)
    print(json.dumps({"what": "begun" if command["do"] == "start" else "frame", **command}), flush=True)
"""


def session(**options):
    return Session(command=[sys.executable, "-c", ECHO], **options)


async def until(messages, what):
    async with asyncio.timeout(10):
        async for message in messages:
            if json.loads(message)["what"] == what:
                return json.loads(message)
    raise AssertionError(what)


def test_a_page_that_looks_begins_it_and_a_second_one_joins():
    async def play():
        one = session()
        first, second = one.messages(), one.messages()
        assert (await until(first, "begun"))["waits"]
        process = one.process
        await one.send({"do": "set", "rate": 0.1})
        assert (await until(first, "frame"))["rate"] == 0.1
        assert (await until(second, "begun"))["waits"] and (await until(second, "frame"))["rate"] == 0.1
        assert one.process is process
        one.kill()
        await process.wait()
        await asyncio.sleep(0.1)
        for messages in (first, second):
            await messages.aclose()

    asyncio.run(play())


def test_it_ends_when_the_last_page_has_gone_but_not_while_one_comes_back():
    async def play():
        one = session(alone=0.3)
        first = one.messages()
        await until(first, "begun")
        process = one.process
        await first.aclose()
        second = one.messages()
        await until(second, "begun")
        await asyncio.sleep(0.6)
        assert one.running and one.process is process
        await second.aclose()
        async with asyncio.timeout(5):
            await process.wait()
        assert not one.running

    asyncio.run(play())


def test_a_run_that_lasts_too_long_is_ended_though_somebody_looks():
    async def play():
        one = session(longest=-1.0)
        messages = one.messages()
        states = [(await until(messages, "state"))["state"] for _ in range(2)]
        assert states == ["starting", "over"] and not one.running
        await messages.aclose()

    asyncio.run(play())
