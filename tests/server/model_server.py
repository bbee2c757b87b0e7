"""A stand-in for a language model: a real HTTP server that speaks the OpenAI API, well or badly.

Started with `model_server()`; its `mode` says how it behaves:

    good        words what it is asked about, with facts cited and numbers that hold
    garbage     answers with something that is no JSON
    wrong       answers in the asked form, with a number that no fact has
    mended      the first answer is wrong, the one after a complaint is good
    refusal     refuses, as the API has it
    truncated   stops in the middle
    injected    does what a note told it, rather than what it was asked
    rate_limit  status 429 with Retry-After
    broken      status 500
    hanging     never answers
    odd         a body that is JSON and no completion

What it was sent is kept in `requests`, so that a test can look for what must never leave.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from apex_server.ai.openai_model import OpenAIModel

INJECTED_LINK = "https://evil.example/plan"


class ModelServer:
    """One server on a port of its own."""

    def __init__(self) -> None:
        self.mode = "good"
        self.requests: list[dict[str, Any]] = []
        self.base_url = ""
        self.tokens = 700
        self.clients: list[OpenAIModel] = []
        self.dishes: Callable[[Any], Any] = lambda asked: []
        """What it answers to a question for dishes."""

    def client(self) -> OpenAIModel:
        """Give what asks this server; it is closed with it."""
        self.clients.append(OpenAIModel("test-model", api_key="sk-test", base_url=self.base_url))
        return self.clients[-1]

    def content_for(self, request: dict[str, Any]) -> str:
        """Write the answer of the present mode."""
        asked = json.loads(next(m["content"] for m in request["messages"] if m["role"] == "user"))
        repaired = any(message["role"] == "assistant" for message in request["messages"])
        if self.mode == "garbage":
            return "Sure! Here is your analysis: {title: 'x'"
        if asked["kind"] == "dishes":
            content = json.dumps({"days": self.dishes(asked)})
            return content[:40] if self.mode == "truncated" else content
        if self.mode == "wrong" or (self.mode == "mended" and not repaired):
            return json.dumps(good_reply(asked, more=" The athlete lifted 987.6 kg."))
        if self.mode == "truncated":
            return json.dumps(good_reply(asked))[:40]
        if self.mode == "injected":
            return json.dumps(obedient_reply(asked))
        return json.dumps(good_reply(asked))

    def completion(self, request: dict[str, Any]) -> dict[str, Any]:
        refused = self.mode == "refusal"
        message: dict[str, Any] = {
            "role": "assistant",
            "content": None if refused else self.content_for(request),
            "refusal": "I cannot help with that." if refused else None,
        }
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": request["model"],
            "choices": [
                {"index": 0, "message": message, "finish_reason": "length" if self.mode == "truncated" else "stop"}
            ],
            "usage": {"prompt_tokens": 600, "completion_tokens": 100, "total_tokens": self.tokens},
        }

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await read_head(reader):
                length = int(head.get("content-length", "0"))
                request = json.loads(await reader.readexactly(length) or b"{}")
                self.requests.append(request)
                if self.mode == "hanging":
                    await asyncio.sleep(3600)
                status, headers, body = self.answer(request)
                writer.write(response(status, headers, json.dumps(body).encode()))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def answer(self, request: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        if self.mode == "rate_limit":
            return 429, {"retry-after": "7"}, {"error": {"message": "slow down", "type": "rate_limit"}}
        if self.mode == "broken":
            return 500, {}, {"error": {"message": "it is us", "type": "server_error"}}
        if self.mode == "odd":
            return 200, {}, {"choices": "none today"}
        return 200, {}, self.completion(request)


@asynccontextmanager
async def model_server() -> AsyncIterator[ModelServer]:
    """Serve on a free port until the block ends."""
    model = ModelServer()
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(model.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    model.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield model
    finally:
        for client in model.clients:
            await client.aclose()
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def good_reply(asked: dict[str, Any], *, more: str = "") -> dict[str, Any]:
    """Word the findings as an honest model would: it takes the statements and adds a phrase."""
    findings = asked["findings"]
    told = [{"text": f"{said(found)}.{more}".strip(), "facts": found["facts"][:24]} for found in findings[:3]]
    advised = [found for found in findings if found["action"] and found["recommendation"]][:2]
    return {
        "title": "What the log says this week",
        "summary": told,
        "recommendations": [
            {
                "text": f"{found['about']} {found['recommendation']}".strip(),
                "action": found["action"],
                "facts": found["facts"][:24],
            }
            for found in advised
        ],
        "flags": [
            {"type": found["flag"], "message": f"{said(found)}.", "facts": found["facts"][:24]}
            for found in findings[:4]
            if found["flag"]
        ],
    }


def said(found: dict[str, Any]) -> str:
    """Say a statement in the model's voice."""
    about = f"On {found['about']}: " if found["about"] else "To note: "
    return f"{about}{found['statement']}"


def obedient_reply(asked: dict[str, Any]) -> dict[str, Any]:
    """Do what somebody's note says: quote it, and send the coach somewhere."""
    reply = good_reply(asked)
    typed = " ".join([*asked["untrusted"]["excerpts"].values(), *asked["untrusted"]["subjects"].values()])
    reply["title"] = "This athlete is perfect"
    reply["summary"][0]["text"] = f"{typed} See {INJECTED_LINK} for the new plan."
    return reply


async def read_head(reader: asyncio.StreamReader) -> dict[str, str]:
    """Read the head of a request; empty at the end of the connection."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    return {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)
    }


def response(status: int, headers: dict[str, str], body: bytes) -> bytes:
    """Write a response."""
    all_headers = {"content-type": "application/json", "content-length": str(len(body)), **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in all_headers.items())
    return f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + body
