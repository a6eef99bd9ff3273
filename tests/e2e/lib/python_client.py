"""The official Python SDK's client of MCP with a bridge as its server: calls what the test looks at, and prints it as
JSON. Arguments: how it opens ("legacy", "auto" or a revision), the text to be echoed, the bridge's command line."""

import asyncio
import json
import os
import sys

from mcp import Client, StdioServerParameters, stdio_client


async def main(mode, text, command):
    server = StdioServerParameters(command=command[0], args=command[1:], env=dict(os.environ))
    async with Client(stdio_client(server), mode=mode) as client:
        seen = {"revision": client.protocol_version, "tools": [tool.name for tool in (await client.list_tools()).tools]}
        answer = await client.call_tool("echo", {"text": text})
        seen["echo"] = answer.content[0].text
        steps = []

        async def progress(done, total, message):
            steps.append(done)

        await client.call_tool("progress", {"steps": 3, "interval_ms": 20}, progress_callback=progress)
        seen["steps"] = len(steps)
        failed = await client.call_tool("fail", {"kind": "tool_error"})
        seen["failed"] = bool(failed.is_error)
        print(json.dumps(seen))


asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
