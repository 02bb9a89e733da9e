"""The endpoints as tools of the Model Context Protocol, through its own client."""

import asyncio
import base64

import pytest

from tests.support.app_server import running_app, save_phone_photo

pytestmark = pytest.mark.slow

mcp = pytest.importorskip("mcp", reason="gradio[mcp] is not installed: it needs an older pydantic")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with running_app(tmp_path_factory.mktemp("app")) as address:
        yield address


async def ask(address, work):
    from mcp.client.streamable_http import streamablehttp_client

    async with (
        streamablehttp_client(f"{address}/gradio_api/mcp/") as (read, write, _),
        mcp.ClientSession(read, write) as session,
    ):
        await session.initialize()
        return await work(session)


def test_the_tools_are_described(address):
    tools = asyncio.run(ask(address, lambda session: session.list_tools())).tools
    described = {tool.name: tool for tool in tools}
    wanted = {"enhance", "compare", "enhance_many"}
    names = {name for name in described if any(name.endswith(f"_{end}") for end in wanted)} | (
        wanted & described.keys()
    )
    assert len(names) == 3 and len(described) == 3
    for tool in described.values():
        assert "phone" in tool.description and len(tool.description) > 80
        assert "progress" not in tool.inputSchema["properties"]


def test_a_photo_is_enhanced_by_a_tool(address, tmp_path):
    photo = save_phone_photo(tmp_path / "walk.jpg", 64, 48)
    data = f"data:image/jpeg;base64,{base64.b64encode(photo.read_bytes()).decode()}"

    async def call(session):
        (name,) = [
            tool.name
            for tool in (await session.list_tools()).tools
            if tool.name.endswith("enhance")
        ]
        return await session.call_tool(name, {"photo": data, "phone": "sony", "strength": 1})

    result = asyncio.run(ask(address, call))
    text = " ".join(part.text for part in result.content if part.type == "text")
    assert not result.isError and "bundled Sony weights" in text and "change_ssim" in text
