"""OpenAI: images and audio, in JSON, forms, binary and streams."""

from __future__ import annotations

import io
from typing import Any

from clients import listed, openai_client, plain
from replay import EVENTS, Exchange, sse

_IMAGES = ("https://platform.openai.com/docs/api-reference/images", "2026-11-22")
_IMAGE_STREAM = ("https://platform.openai.com/docs/api-reference/images-streaming", "2026-11-22")
_AUDIO = ("https://platform.openai.com/docs/api-reference/audio", "2026-11-22")

_IMAGE_USAGE = {
    "input_tokens": 50,
    "input_tokens_details": {"image_tokens": 0, "text_tokens": 50},
    "output_tokens": 4160,
    "total_tokens": 4210,
}
_DRAWN = {
    "created": 1_790_000_000,
    "background": "opaque",
    "data": [{"b64_json": "aGk="}, {"b64_json": "aG8="}],
    "output_format": "png",
    "quality": "medium",
    "size": "1024x1536",
    "usage": _IMAGE_USAGE,
}
_IMAGE = {"operation": "image", "image_width": 1024, "image_height": 1536}


def _wav() -> io.BytesIO:
    """A form's file; it holds what a delimiter may look like."""
    file = io.BytesIO(b"RIFF\x24\x00\x00\x00WAVEfmt \x10\r\n--\r\n\r\n" + bytes(range(256)) * 40)
    file.name = "appel.wav"
    return file


def _png() -> io.BytesIO:
    file = io.BytesIO(b"\x89PNG\r\n\x1a\n" + bytes(64))
    file.name = "colis.png"
    return file


def _spoken(client: Any) -> bytes:
    return client.audio.speech.create(model="tts-1", voice="alloy", input="Votre colis arrive.").content


def _spoken_stream(client: Any) -> list[str]:
    create = client.audio.speech.with_streaming_response.create
    with create(model="gpt-4o-mini-tts", voice="alloy", input="Bonjour", stream_format="sse") as answer:
        return list(answer.iter_lines())


def _transcribe(**more: Any) -> Any:
    def make(client: Any) -> Any:
        answer = client.audio.transcriptions.create(file=_wav(), **more)
        return listed(answer) if more.get("stream") else plain(answer)

    return openai_client(make)


_TRANSCRIPT_USAGE = {
    "type": "tokens",
    "input_tokens": 140,
    "input_token_details": {"audio_tokens": 135, "text_tokens": 5},
    "output_tokens": 22,
    "total_tokens": 162,
}

EXCHANGES = [
    Exchange(
        "images",
        "openai",
        _IMAGES,
        "/v1/images/generations",
        openai_client(
            lambda client: plain(client.images.generate(model="gpt-image-1", prompt="un colis", n=2, size="1024x1536"))
        ),
        _DRAWN,
        {**_IMAGE, "images_count": 2, "input_tokens": 50, "output_tokens": 4160, "input_image_tokens": 0},
    ),
    Exchange(
        "images without usage",
        "openai",
        _IMAGES,
        "/v1/images/generations",
        openai_client(lambda client: plain(client.images.generate(model="dall-e-3", prompt="un colis"))),
        {"created": 1_790_000_000, "data": [{"url": "https://files.example/1.png", "revised_prompt": "un colis"}]},
        {"operation": "image", "images_count": 1, "model_requested": "dall-e-3"},
    ),
    Exchange(
        "images refused",
        "openai",
        _IMAGES,
        "/v1/images/generations",
        openai_client(lambda client: plain(client.images.generate(model="gpt-image-1", prompt="un colis", n=4))),
        {"error": {"message": "Rejected", "type": "image_generation_user_error", "code": "moderation_blocked"}},
        {"status": "error", "error_type": "moderation_blocked"},
        status=400,
    ),
    Exchange(
        "image edited, in a form",
        "openai",
        _IMAGES,
        "/v1/images/edits",
        openai_client(
            lambda client: plain(
                client.images.edit(model="gpt-image-1", image=_png(), prompt="en bleu", size="1024x1024")
            )
        ),
        {
            **_DRAWN,
            "size": "1024x1024",
            "data": [{"b64_json": "aGk="}],
            "usage": {
                **_IMAGE_USAGE,
                "input_tokens": 373,
                "input_tokens_details": {"image_tokens": 323, "text_tokens": 50},
                "total_tokens": 4533,
            },
        },
        {
            "operation": "image",
            "model_requested": "gpt-image-1",
            "images_count": 1,
            "image_width": 1024,
            "input_tokens": 373,
            "input_image_tokens": 323,
            "output_tokens": 4160,
        },
    ),
    Exchange(
        "image streamed",
        "openai",
        _IMAGE_STREAM,
        "/v1/images/generations",
        openai_client(
            lambda client: listed(
                client.images.generate(model="gpt-image-1", prompt="un colis", stream=True, partial_images=1)
            )
        ),
        sse(
            [
                {
                    "type": "image_generation.partial_image",
                    "b64_json": "aGk=",
                    "partial_image_index": 0,
                    "created_at": 1_790_000_000,
                    "size": "1024x1536",
                    "quality": "medium",
                    "background": "opaque",
                    "output_format": "png",
                },
                {
                    "type": "image_generation.completed",
                    "b64_json": "aGk=",
                    "created_at": 1_790_000_000,
                    "size": "1024x1536",
                    "quality": "medium",
                    "background": "opaque",
                    "output_format": "png",
                    "usage": _IMAGE_USAGE,
                },
            ],
            named=True,
        ),
        {
            **_IMAGE,
            "images_count": 1,
            "input_tokens": 50,
            "output_tokens": 4160,
            "input_image_tokens": 0,
            "stream": True,
        },
        media_type=EVENTS,
    ),
    Exchange(
        "speech",
        "openai",
        _AUDIO,
        "/v1/audio/speech",
        openai_client(_spoken),
        bytes(range(256)) * 300,
        {"operation": "speech", "characters": 19, "model_requested": "tts-1", "stream": False},
        media_type="audio/mpeg",
    ),
    Exchange(
        "speech streamed",
        "openai",
        _AUDIO,
        "/v1/audio/speech",
        openai_client(_spoken_stream),
        sse(
            [
                {"type": "speech.audio.delta", "audio": "aGk="},
                {"type": "speech.audio.delta", "audio": "aG8="},
                {
                    "type": "speech.audio.done",
                    "usage": {"input_tokens": 4, "output_tokens": 61, "total_tokens": 65},
                },
            ]
        ),
        {"operation": "speech", "characters": 7, "input_tokens": 4, "output_tokens": 61, "stream": True},
        media_type=EVENTS,
    ),
    Exchange(
        "transcription, told in seconds",
        "openai",
        _AUDIO,
        "/v1/audio/transcriptions",
        _transcribe(model="whisper-1"),
        {"text": "Mon colis a du retard.", "usage": {"type": "duration", "seconds": 9}},
        {"operation": "transcription", "model_requested": "whisper-1", "audio_seconds": 9.0},
    ),
    Exchange(
        "transcription, told in tokens",
        "openai",
        _AUDIO,
        "/v1/audio/transcriptions",
        _transcribe(model="gpt-4o-transcribe", response_format="json"),
        {"text": "Mon colis a du retard.", "usage": _TRANSCRIPT_USAGE},
        {
            "operation": "transcription",
            "model_requested": "gpt-4o-transcribe",
            "input_tokens": 140,
            "input_audio_tokens": 135,
            "output_tokens": 22,
        },
    ),
    Exchange(
        "transcription streamed",
        "openai",
        _AUDIO,
        "/v1/audio/transcriptions",
        _transcribe(model="gpt-4o-transcribe", stream=True),
        sse(
            [
                {"type": "transcript.text.delta", "delta": "Mon colis"},
                {"type": "transcript.text.delta", "delta": " a du retard."},
                {"type": "transcript.text.done", "text": "Mon colis a du retard.", "usage": _TRANSCRIPT_USAGE},
            ],
            done=True,
        ),
        {
            "operation": "transcription",
            "model_requested": "gpt-4o-transcribe",
            "stream": True,
            "input_tokens": 140,
            "input_audio_tokens": 135,
            "output_tokens": 22,
        },
        media_type=EVENTS,
    ),
    Exchange(
        "transcription as subtitles",
        "openai",
        _AUDIO,
        "/v1/audio/transcriptions",
        _transcribe(model="whisper-1", response_format="srt"),
        b"1\n00:00:00,000 --> 00:00:09,000\nMon colis a du retard.\n",
        {"operation": "transcription", "model_requested": "whisper-1"},
        media_type="text/plain; charset=utf-8",
    ),
]
