"""LangChain's own integration tests for chat models, at the server that LANGCHAIN_SERVER names.

langchain_diff.py runs them twice. Some fail however they are asked: the model only knows its scripts.
"""

import os

from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests

SERVER = os.environ["LANGCHAIN_SERVER"]
MODEL = os.environ["LANGCHAIN_MODEL"]
COMMON = {"model": MODEL, "api_key": "unused", "max_retries": 0, "timeout": 20}


class TestChat(ChatModelIntegrationTests):
    chat_model_class = property(lambda self: ChatOpenAI)
    chat_model_params = property(lambda self: COMMON | {"base_url": f"{SERVER}/v1", "stream_usage": True})
    supports_json_mode = property(lambda self: True)


class TestResponses(ChatModelIntegrationTests):
    chat_model_class = property(lambda self: ChatOpenAI)
    chat_model_params = property(lambda self: COMMON | {"base_url": f"{SERVER}/v1", "use_responses_api": True})


class TestMessages(ChatModelIntegrationTests):
    chat_model_class = property(lambda self: ChatAnthropic)
    chat_model_params = property(lambda self: COMMON | {"base_url": SERVER, "max_tokens": 256})
    supports_anthropic_inputs = property(lambda self: True)
