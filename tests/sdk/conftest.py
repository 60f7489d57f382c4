"""What the tests are told of the gateway; README.md lists it."""

import os

import pytest
from openai import OpenAI


def setting(name: str) -> str:
    value = os.environ.get(name)
    if value:
        return value
    message = f"{name} is not set"
    if os.environ.get("WAYPOST_SDK_ALL"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def url() -> str:
    return os.environ.get("WAYPOST_URL", "http://127.0.0.1:4000")


@pytest.fixture
def client(url: str) -> OpenAI:
    # Retries would hide an error that the gateway must not make.
    return OpenAI(base_url=f"{url}/v1", api_key=os.environ.get("WAYPOST_KEY") or "unused", max_retries=0, timeout=30)


@pytest.fixture
def real() -> str:
    return setting("WAYPOST_REAL_MODEL")


@pytest.fixture
def r1() -> str:
    return setting("WAYPOST_R1_MODEL")


@pytest.fixture
def scripted(client: OpenAI):
    """Answers once after each test, for after some failures in a row the gateway would leave it alone."""
    model = setting("WAYPOST_SCRIPTED_MODEL")
    yield model
    client.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}])
