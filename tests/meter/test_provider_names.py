"""One provider, one name, whoever speaks of it."""

from __future__ import annotations

import pytest

from mesure.meter.provider_names import catalogue_provider, region_in_address


@pytest.mark.parametrize(
    ("spoken", "name"),
    [
        ("openai", "openai"),
        ("OpenAI", "openai"),
        ("openai.chat", "openai"),
        ("openai.responses", "openai"),
        ("anthropic.messages", "anthropic"),
        ("mistral_ai", "mistral"),
        ("MistralAI", "mistral"),
        ("azure.ai.openai", "azure"),
        ("az.ai.openai", "azure"),
        ("azure-openai.chat", "azure"),
        ("aws.bedrock", "amazon-bedrock"),
        ("gcp.vertex_ai", "vertex-ai"),
        ("google.vertex.chat", "vertex-ai"),
        ("google.generative-ai", "google"),
        ("ibm.watsonx.ai", "ibm.watsonx"),
        ("ollama", "ollama"),
        ("somebody-new", "somebody-new"),
        ("langchain", None),
        ("", None),
        ("  ", None),
        (None, None),
    ],
)
def test_names(spoken: str | None, name: str | None) -> None:
    assert catalogue_provider(spoken) == name


@pytest.mark.parametrize(
    ("address", "region"),
    [
        ("https://bedrock-runtime.us-gov-west-1.amazonaws.com/model/x", "us-gov-west-1"),
        ("bedrock.eu-central-1.amazonaws.com:443", "eu-central-1"),
        ("us-central1-aiplatform.googleapis.com", "us-central1"),
        ("francecentral.api.cognitive.microsoft.com", "francecentral"),
        ("my-endpoint.swedencentral.models.ai.azure.com", "swedencentral"),
        ("contoso.openai.azure.com", None),
        ("aiplatform.googleapis.com", None),
        ("bedrock-runtime.us-east-1.amazonaws.com.evil.example", None),
        ("", None),
        (None, None),
    ],
)
def test_regions(address: str | None, region: str | None) -> None:
    assert region_in_address(address) == region
