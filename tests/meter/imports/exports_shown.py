"""One small file of each known export, written for this project after its public reference, and what it says."""

from __future__ import annotations

import csv
import io
import json
from typing import Any, NamedTuple

Facts = dict[str, Any]


class Shown(NamedTuple):
    """`events`: what must be read, as the fields that are checked; `people`: names that must not be."""

    export: str
    name: str
    content: str
    events: tuple[Facts, ...]
    people: tuple[str, ...] = ()


def page(*buckets: Facts) -> str:
    return json.dumps({"object": "page", "data": list(buckets), "has_more": False, "next_page": None}, indent=2)


def bucket(*results: Facts, start: int = 1_763_596_800) -> Facts:
    return {"object": "bucket", "start_time": start, "end_time": start + 86_400, "results": list(results)}


COMPLETIONS: Facts = {
    "object": "organization.usage.completions.result",
    "input_tokens": 1000,
    "output_tokens": 500,
    "input_cached_tokens": 800,
    "input_audio_tokens": 0,
    "output_audio_tokens": 0,
    "num_model_requests": 5,
    "project_id": "proj_1",
    "user_id": "user-abc",
    "api_key_id": None,
    "model": "gpt-4o-2024-08-06",
    "batch": None,
}
OPENAI_USAGE = page(
    bucket(
        COMPLETIONS,
        {
            "object": "organization.usage.embeddings.result",
            "input_tokens": 64,
            "num_model_requests": 2,
            "model": "text-embedding-3-small",
        },
        {
            "object": "organization.usage.images.result",
            "images": 3,
            "num_model_requests": 2,
            "size": "1024x1536",
            "source": "image.generation",
            "model": "gpt-image-1",
        },
        {
            "object": "organization.usage.audio_transcriptions.result",
            "seconds": 90,
            "num_model_requests": 1,
            "model": "whisper-1",
        },
        {
            "object": "organization.usage.audio_speeches.result",
            "characters": 45,
            "num_model_requests": 1,
            "model": "tts-1",
        },
        {"object": "organization.usage.vector_stores.result", "usage_bytes": 1024, "project_id": None},
    ),
    bucket(start=1_763_683_200),
)
OPENAI_CSV = (
    "start_time,end_time,start_time_iso,end_time_iso,project_id,num_model_requests,user_id,api_key_id,model,batch,"
    "service_tier,input_tokens,output_tokens,input_cached_tokens,input_text_tokens,output_text_tokens,"
    "input_audio_tokens,output_audio_tokens\n"
    "1763596800,1763596860,2025-11-20T00:00:00+00:00,2025-11-20T00:01:00+00:00,proj_1,2,user-abc,key_1,"
    "gpt-4o-2024-08-06,false,default,300,70,100,280,70,20,0\n"
)
ANTHROPIC = json.dumps(
    {
        "data": [
            {
                "starting_at": "2026-11-20T00:00:00Z",
                "ending_at": "2026-11-21T00:00:00Z",
                "results": [
                    {
                        "uncached_input_tokens": 1500,
                        "cache_creation": {"ephemeral_1h_input_tokens": 1000, "ephemeral_5m_input_tokens": 500},
                        "cache_read_input_tokens": 200,
                        "output_tokens": 500,
                        "server_tool_use": {"web_search_requests": 10},
                        "model": "claude-opus-4-20250514",
                        "workspace_id": "wrkspc_1",
                        "service_tier": "standard",
                        "context_window": "0-200k",
                    }
                ],
            }
        ],
        "has_more": False,
        "next_page": None,
    }
)
ANTHROPIC_CSV = (
    "usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,"
    "usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,"
    "usage_output_tokens,web_search_count,inference_geo,speed\n"
    "2026-11-20,claude-haiku-4-5,Jeanne's key,Default,standard,≤ 200k,46981,15969,0,7,16932,0,global,\n"
)
ANTHROPIC_COST = json.dumps(
    {
        "data": [
            {
                "starting_at": "2026-11-20T00:00:00Z",
                "ending_at": "2026-11-21T00:00:00Z",
                "results": [
                    {
                        "currency": "USD",
                        "amount": "123.45",
                        "workspace_id": None,
                        "description": "Claude Sonnet 4 Usage - Input Tokens",
                        "cost_type": "tokens",
                        "model": "claude-sonnet-4-20250514",
                    }
                ],
            }
        ],
        "has_more": False,
    }
)
OPENAI_COSTS = page(
    bucket(
        {
            "object": "organization.costs.result",
            "amount": {"value": 0.06, "currency": "usd"},
            "line_item": "gpt-4o, input",
            "project_id": "proj_1",
        }
    )
)
AZURE_METRICS = json.dumps(
    {
        "cost": 0,
        "timespan": "2026-11-20T08:00:00Z/2026-11-20T10:00:00Z",
        "interval": "PT1H",
        "resourceregion": "swedencentral",
        "value": [
            {
                "name": {"value": name, "localizedValue": name},
                "unit": "Count",
                "timeseries": [
                    {
                        "metadatavalues": [
                            {"name": {"value": "modeldeploymentname"}, "value": "support-bot"},
                            {"name": {"value": "modelname"}, "value": "gpt-4o"},
                        ],
                        "data": [
                            {"timeStamp": "2026-11-20T08:00:00Z", "total": total},
                            {"timeStamp": "2026-11-20T09:00:00Z", "total": 0.0},
                        ],
                    }
                ],
            }
            for name, total in (
                ("ProcessedPromptTokens", 900.0),
                ("GeneratedTokens", 300.0),
                ("AzureOpenAIRequests", 4),
            )
        ],
    }
)
_AZURE_COLUMNS = (
    "Date,ServiceFamily,MeterCategory,MeterSubCategory,MeterName,MeterId,UnitOfMeasure,Quantity,"
    "CostInBillingCurrency,BillingCurrency,ResourceLocation,ResourceGroup,SubscriptionId,ResourceId\n"
)
AZURE_COSTS = _AZURE_COLUMNS + (
    "11/20/2026,AI + Machine Learning,Foundry Models,Azure OpenAI,gpt-4o-0806-Inp-glbl Tokens,m1,1K,30,0.07,EUR,"
    "SE Central,rg,s,r\n"
    "11/20/2026,AI + Machine Learning,Foundry Models,Azure OpenAI GPT5,GPT 5 Mini Outp regnl 1M Tokens,m2,1M,0.5,1.0,"
    "EUR,SE Central,rg,s,r\n"
    "11/20/2026,AI + Machine Learning,Azure OpenAI,Azure OpenAI,gpt-4o-mini-0718-cached-Inp-regnl Tokens,m3,1K,2,0.1,"
    "EUR,SE Central,rg,s,r\n"
    "11/20/2026,AI + Machine Learning,Azure OpenAI,Azure OpenAI,Provisioned Managed Global Unit,m4,1 Hour,50,50.0,EUR,"
    "SE Central,rg,s,r\n"
    "11/20/2026,Compute,Virtual Machines,Dv5,D4 v5,m5,1 Hour,24,4.0,EUR,FR Central,rg,s,r\n"
)
GOOGLE = "\n".join(
    json.dumps(
        {
            "service": {"description": service},
            "sku": {"id": "x", "description": sku},
            "usage_start_time": "2026-11-20 08:00:00 UTC",
            "usage_end_time": "2026-11-20 09:00:00 UTC",
            "project": {"id": "p"},
            "location": {"region": "europe-west1"},
            "cost": cost,
            "currency": "EUR",
            "usage": {"amount": amount, "unit": unit},
            "labels": [{"key": "team", "value": "a"}],
        }
    )
    for service, sku, amount, unit, cost in (
        ("Gemini API", "Generate content input token count gemini 2.5 flash lite text", 7000.0, "count", 0.1),
        ("Gemini API", "Generate content output token count gemini 2.5 pro", 900.0, "count", 0.2),
        ("Vertex AI", "Gemini 1.5 Pro Text Input - Predictions", 5000.0, "count", 0.3),
        ("Compute Engine", "N2 core", 1.0, "seconds", 0.4),
    )
)
DEEPSEEK = "user_id,start_time_iso,end_time_iso,model,api_key_name,api_key,type,price,amount\n" + "".join(
    f"u,2026-11-20T00:00:00Z,2026-11-20T01:00:00Z,deepseek-chat,prod,sk-***,{kind},0.1,{amount}\n"
    for kind, amount in (
        ("request_count", 12),
        ("input_cache_hit_tokens", 100),
        ("input_cache_miss_tokens", 40),
        ("output_tokens", 9),
    )
)
LANGFUSE = json.dumps(
    [
        {
            "id": "0123456789abcdef",
            "traceId": "0123456789abcdef0123456789abcdef",
            "type": "GENERATION",
            "name": "answer",
            "startTime": "2026-11-20T08:00:00.000Z",
            "endTime": "2026-11-20T08:00:02.500Z",
            "completionStartTime": "2026-11-20T08:00:00.400Z",
            "model": "gpt-4o",
            "input": "a secret question",
            "output": "a secret answer",
            "usageDetails": {"input": 20, "input_cached_tokens": 80, "output": 30, "output_reasoning_tokens": 5},
            "totalCost": 0.002,
            "userId": "jeanne@example.org",
            "sessionId": "s-1",
            "level": "DEFAULT",
            "environment": "production",
        },
        {"id": "s", "traceId": "t", "type": "SPAN", "startTime": "2026-11-20T08:00:00Z", "model": None, "usage": None},
    ]
)
LANGFUSE_CSV = (
    "id,trace_id,type,start_time,end_time,provided_model_name,usage_details,total_cost,user_id\n"
    "obs-1,tr-1,GENERATION,2026-11-20 08:00:00.000000,2026-11-20 08:00:01.000000,claude-sonnet-4,"
    '"{""input"":100,""output"":30,""total"":130,""input_cached_tokens"":60}",0.01,jeanne\n'
)
HELICONE = json.dumps(
    {
        "request_id": "6f1d1f6e-aaaa-bbbb-cccc-1234567890ab",
        "request_created_at": "2026-11-20T08:00:00.000Z",
        "response_created_at": "2026-11-20T08:00:01.200Z",
        "response_status": 200,
        "provider": "OPENAI",
        "request_model": "gpt-4o",
        "response_model": "gpt-4o-2024-08-06",
        "prompt_tokens": 120,
        "completion_tokens": 40,
        "total_tokens": 160,
        "prompt_cache_read_tokens": 100,
        "delay_ms": 1200,
        "time_to_first_token": 300,
        "cost": 0.0004,
        "request_user_id": "jeanne@example.org",
        "request_body": {"messages": [{"role": "user", "content": "a secret question"}]},
        "response_body": {"id": "chatcmpl-AbCdEfGhIjKlMnOpQrStUv"},
    }
)
OPENROUTER = json.dumps(
    {
        "data": [
            {
                "date": "2026-11-20",
                "model": "openai/gpt-4.1",
                "model_permaslug": "openai/gpt-4.1-2025-04-14",
                "endpoint_id": "550e8400-e29b-41d4-a716-446655440000",
                "provider_name": "OpenAI",
                "usage": 0.015,
                "byok_usage_inference": 0.012,
                "requests": 5,
                "prompt_tokens": 50,
                "completion_tokens": 125,
                "reasoning_tokens": 25,
            }
        ]
    }
)
OPENROUTER_CSV = (
    "generation_id,created_at,cost_total,cost_web_search,cost_cache,cost_file_processing,byok_usage_inference,"
    "tokens_prompt,tokens_completion,tokens_reasoning,tokens_cached,model_permaslug,provider_name,variant,cancelled,"
    "streamed,user,finish_reason_raw,finish_reason_normalized,generation_time_ms,time_to_first_token_ms,app_name,"
    "api_key_name\n"
    "gen-1763625600-AbCdEf,2026-11-20 08:00:00.271,0.01,0,0,0,0,100,200,50,20,openai/gpt-4.1-2025-04-14,OpenAI,"
    "standard,false,true,jeanne,stop,stop,2100,310,Support,prod\n"
)
VLLM = """# scraped 2026-11-20T08:00:00Z
# HELP vllm:prompt_tokens_total Number of prefill tokens processed.
# TYPE vllm:prompt_tokens_total counter
vllm:prompt_tokens_total{engine="0",model_name="Qwen/Qwen3-8B"} 1000.0
vllm:generation_tokens_total{engine="0",model_name="Qwen/Qwen3-8B"} 400.0
vllm:request_success_total{engine="0",finished_reason="stop",model_name="Qwen/Qwen3-8B"} 10.0
vllm:request_success_total{engine="0",finished_reason="length",model_name="Qwen/Qwen3-8B"} 1.0
vllm:num_requests_running{engine="0",model_name="Qwen/Qwen3-8B"} 3.0
# scraped 2026-11-20T08:15:00Z
vllm:prompt_tokens_total{engine="0",model_name="Qwen/Qwen3-8B"} 1600.0
vllm:generation_tokens_total{engine="0",model_name="Qwen/Qwen3-8B"} 500.0
vllm:request_success_total{engine="0",finished_reason="stop",model_name="Qwen/Qwen3-8B"} 13.0
vllm:request_success_total{engine="0",finished_reason="length",model_name="Qwen/Qwen3-8B"} 2.0
# scraped 2026-11-20T08:30:00Z
vllm:prompt_tokens_total{engine="0",model_name="Qwen/Qwen3-8B"} 50.0
vllm:generation_tokens_total{engine="0",model_name="Qwen/Qwen3-8B"} 20.0
vllm:request_success_total{engine="0",finished_reason="stop",model_name="Qwen/Qwen3-8B"} 1.0
vllm:request_success_total{engine="0",finished_reason="length",model_name="Qwen/Qwen3-8B"} 0.0
"""
PROMETHEUS = json.dumps(
    {
        "status": "success",
        "data": {
            "resultType": "matrix",
            "result": [
                {
                    "metric": {"__name__": name, "instance": "gpu-1:8080"},
                    "values": [[1_763_625_600, "100"], [1_763_625_660.5, "130"], [1_763_625_720, "130"]],
                }
                for name in ("llamacpp:prompt_tokens_total", "llamacpp:tokens_predicted_total", "up")
            ],
        },
    }
)

_COPILOT_COLUMNS = (
    "Report Refresh Date,User Principal Name,Display Name,Last Activity Date,Copilot Chat Last Activity Date,"
    "Microsoft Teams Copilot Last Activity Date,Report Period,Prompts submitted for all apps,"
    "Active Usage Days for all apps,Department\n"
)
COPILOT = _COPILOT_COLUMNS + "".join(
    f"2026-11-20,jeanne{n}@example.org,Jeanne {n},2026-11-19,,,28,{10 + n},{n},{department}\n"
    for n, department in enumerate(["Sales"] * 5 + ["Legal"] * 2 + ["Board"])
)
INTERACTIONS = "RecordId,CreationDate,RecordType,Operation,UserId,AuditData\n" + "".join(
    f"r{n},2026-11-{day}T08:0{n}:00.0000000Z,CopilotInteraction,CopilotInteraction,jeanne@example.org,"
    '"{""CopilotEventData"":{""AppHost"":""Word""}}"\n'
    for n, day in enumerate((20, 20, 21))
)
CHATGPT = (
    "cadence,period_start,period_end,account_id,name,email,department,user_status,is_active,messages,"
    "model_to_messages,gpt_messages\n"
    + "".join(
        f"""Monthly,2026-11-01,2026-11-30,a,Jeanne,jeanne{n}@example.org,Sales,enabled,1,30,"{{'gpt-4o': 20}}",3\n"""
        for n in range(5)
    )
    + "Monthly,2026-11-01,2026-11-30,a,Paul,paul@example.org,Legal,enabled,0,0,,0\n"
)

DAY, NEXT = "2025-11-20T00:00:00+00:00", "2025-11-21T00:00:00+00:00"
D26, N26 = "2026-11-20T00:00:00+00:00", "2026-11-21T00:00:00+00:00"

LITELLM_COLUMNS = (
    *("request_id", "call_type", "api_key", "spend", "total_tokens", "prompt_tokens", "completion_tokens"),
    *("startTime", "endTime", "request_duration_ms", "model", "model_group", "custom_llm_provider", "user", "metadata"),
    *("cache_hit", "request_tags", "team_id", "end_user", "messages", "session_id", "status"),
)


def spend_log(**given: Any) -> Facts:
    """A row of `LiteLLM_SpendLogs`, its JSON columns as text."""
    row: Facts = dict.fromkeys(LITELLM_COLUMNS, "")
    row |= {
        "request_id": "chatcmpl-AbCdEfGhIjKlMnOpQrStUv",
        "call_type": "acompletion",
        "api_key": "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b",
        "spend": 0.0042,
        "total_tokens": 160,
        "prompt_tokens": 120,
        "completion_tokens": 40,
        "startTime": "2026-11-20T08:00:00.250Z",
        "endTime": "2026-11-20T08:00:01.750Z",
        "request_duration_ms": 1500,
        "model": "azure/gpt-4o",
        "custom_llm_provider": "azure",
        "user": "jeanne",
        "metadata": json.dumps({"user_api_key_alias": "jeanne"}),
        "cache_hit": "False",
        "request_tags": "[]",
        "end_user": "jeanne",
        "messages": json.dumps([{"content": "a secret"}]),
        "status": "success",
    }
    return row | given


def as_csv(rows: list[Facts]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


_USAGE_OBJECT: Facts = {
    "prompt_tokens": 120,
    "completion_tokens": 40,
    "total_tokens": 160,
    "prompt_tokens_details": {"cached_tokens": 64},
    "completion_tokens_details": {"reasoning_tokens": 12},
}
LITELLM_ROWS = [
    spend_log(
        metadata=json.dumps({"usage_object": _USAGE_OBJECT}),
        request_tags=json.dumps(["team:support", "use_case:reply", "environment:test", "User-Agent: x"]),
    ),
    spend_log(request_id="chatcmpl-1_cache_hit1763625601.5", cache_hit="True", spend=0.0),
    spend_log(request_id="0f5e", status="failure", prompt_tokens=0, completion_tokens=0, spend=0.0),
    spend_log(request_id="e-1", call_type="aembedding", prompt_tokens=14, completion_tokens=0, team_id="t-7"),
    spend_log(request_id="f-1", call_type="create_file", prompt_tokens=0, completion_tokens=0),
]
#: As the interface gives them: the JSON columns are JSON.
LITELLM_JSON = json.dumps(
    [
        {**row, "metadata": json.loads(row["metadata"]), "request_tags": json.loads(row["request_tags"])}
        for row in LITELLM_ROWS
    ]
)
_LITELLM_EVENTS: tuple[Facts, ...] = (
    {
        "response_id": "chatcmpl-AbCdEfGhIjKlMnOpQrStUv",
        "started_at": "2026-11-20T08:00:00.250000+00:00",
        "provider": "azure",
        "model_requested": "gpt-4o",
        "operation": "chat",
        "input_tokens": 120,
        "cached_input_tokens": 64,
        "output_tokens": 40,
        "reasoning_tokens": 12,
        "duration_ms": 1500.0,
        "cost": 0.0042,
        "cost_currency": "USD",
        "team": "support",
        "use_case": "reply",
        "environment": "test",
        "status": "ok",
    },
    {"response_id": "chatcmpl-1_cache_hit1763625601.5", "route": "cache", "input_tokens": 0, "output_tokens": 0},
    {"response_id": "0f5e", "status": "error", "input_tokens": 0, "output_tokens": 0},
    {"operation": "embeddings", "input_tokens": 14, "output_tokens": 0, "team": "t-7"},
)

SHOWN: tuple[Shown, ...] = (
    Shown(
        "openai-usage",
        "usage.json",
        OPENAI_USAGE,
        (
            {
                "started_at": DAY,
                "ended_at": NEXT,
                "calls_count": 5,
                "provider": "openai",
                "model_requested": "gpt-4o-2024-08-06",
                "input_tokens": 1000,
                "cached_input_tokens": 800,
                "output_tokens": 500,
                "operation": "chat",
            },
            {"operation": "embeddings", "input_tokens": 64, "calls_count": 2, "output_tokens": None},
            {"operation": "image", "images_count": 3, "image_width": 1024, "image_height": 1536, "input_tokens": None},
            {"operation": "transcription", "audio_seconds": 90.0, "model_requested": "whisper-1"},
            {"operation": "speech", "characters": 45, "model_requested": "tts-1"},
        ),
        ("user-abc",),
    ),
    Shown(
        "openai-usage",
        "completions_usage.csv",
        OPENAI_CSV,
        (
            {
                "started_at": DAY,
                "ended_at": "2025-11-20T00:01:00+00:00",
                "calls_count": 2,
                "input_tokens": 300,
                "input_audio_tokens": 20,
                "cached_input_tokens": 100,
                "output_tokens": 70,
            },
        ),
        ("user-abc",),
    ),
    Shown(
        "openai-costs",
        "costs.json",
        OPENAI_COSTS,
        ({"cost": 0.06, "cost_currency": "USD", "calls_count": 0, "input_tokens": 0, "output_tokens": 0},),
    ),
    Shown(
        "anthropic-usage",
        "usage.json",
        ANTHROPIC,
        (
            {
                "started_at": D26,
                "ended_at": N26,
                "calls_count": 0,
                "model_requested": "claude-opus-4-20250514",
                "input_tokens": 3200,
                "cached_input_tokens": 200,
                "cache_write_tokens": 1500,
                "output_tokens": 500,
            },
        ),
    ),
    Shown(
        "anthropic-usage",
        "claude_api_tokens.csv",
        ANTHROPIC_CSV,
        (
            {
                "started_at": D26,
                "ended_at": N26,
                "input_tokens": 46981 + 15969 + 7,
                "cached_input_tokens": 7,
                "cache_write_tokens": 15969,
                "output_tokens": 16932,
            },
        ),
        ("Jeanne",),
    ),
    Shown(
        "anthropic-cost",
        "cost.json",
        ANTHROPIC_COST,
        ({"cost": 1.2345, "cost_currency": "USD", "input_tokens": 0, "output_tokens": 0, "calls_count": 0},),
    ),
    Shown(
        "azure-metrics",
        "metrics.json",
        AZURE_METRICS,
        (
            {
                "started_at": "2026-11-20T08:00:00+00:00",
                "ended_at": "2026-11-20T09:00:00+00:00",
                "input_tokens": 900,
                "output_tokens": 0,
                "calls_count": 0,
                "model_requested": "gpt-4o",
                "host_region": "swedencentral",
            },
            {"input_tokens": 0, "output_tokens": 300, "calls_count": 0},
            {"input_tokens": 0, "output_tokens": 0, "calls_count": 4},
        ),
    ),
    Shown(
        "azure-costs",
        "costs.csv",
        AZURE_COSTS,
        (
            {
                "started_at": D26,
                "ended_at": N26,
                "input_tokens": 30_000,
                "output_tokens": 0,
                "model_requested": "gpt-4o-0806",
                "host_region": None,
                "cost": 0.07,
                "cost_currency": "EUR",
            },
            {"output_tokens": 500_000, "input_tokens": 0, "host_region": "secentral", "model_requested": "gpt-5-mini"},
            {"input_tokens": 2000, "cached_input_tokens": 2000, "model_requested": "gpt-4o-mini-0718"},
            {"cost": 50.0, "input_tokens": 0, "output_tokens": 0, "tokens_reported": False, "model_requested": None},
        ),
    ),
    Shown(
        "google-billing",
        "billing.json",
        GOOGLE,
        (
            {"input_tokens": 7000, "output_tokens": 0, "model_requested": "gemini-2.5-flash-lite", "calls_count": 0},
            {"input_tokens": 0, "output_tokens": 900, "model_requested": "gemini-2.5-pro", "cost": 0.2},
            {"input_tokens": 0, "output_tokens": 0, "tokens_reported": False, "cost": 0.3, "cost_currency": "EUR"},
        ),
    ),
    Shown(
        "deepseek-usage",
        "amount-2026-11.csv",
        DEEPSEEK,
        (
            {"calls_count": 12, "input_tokens": 0, "output_tokens": 0},
            {"calls_count": 0, "input_tokens": 100, "cached_input_tokens": 100, "output_tokens": 0},
            {"input_tokens": 40, "cached_input_tokens": None},
            {"input_tokens": 0, "output_tokens": 9, "model_requested": "deepseek-chat"},
        ),
    ),
    Shown(
        "langfuse",
        "observations.json",
        LANGFUSE,
        (
            {
                "trace_id": "0123456789abcdef0123456789abcdef",
                "span_id": "0123456789abcdef",
                "model_requested": "gpt-4o",
                "calls_count": 1,
                "input_tokens": 100,
                "cached_input_tokens": 80,
                "output_tokens": 35,
                "reasoning_tokens": 5,
                "duration_ms": 2500.0,
                "first_output_ms": 400.0,
                "cost": 0.002,
            },
        ),
        ("jeanne", "secret"),
    ),
    Shown(
        "langfuse",
        "observations.csv",
        LANGFUSE_CSV,
        (
            {
                "response_id": "obs-1",
                "input_tokens": 100,
                "cached_input_tokens": 60,
                "output_tokens": 30,
                "model_requested": "claude-sonnet-4",
            },
        ),
        ("jeanne",),
    ),
    Shown(
        "helicone",
        "requests.jsonl",
        HELICONE,
        (
            {
                "response_id": "chatcmpl-AbCdEfGhIjKlMnOpQrStUv",
                "provider": "openai",
                "input_tokens": 120,
                "cached_input_tokens": 100,
                "output_tokens": 40,
                "status": "ok",
                "http_status": 200,
                "model_answered": "gpt-4o-2024-08-06",
            },
        ),
        ("jeanne", "secret"),
    ),
    Shown("litellm", "spend.csv", as_csv(LITELLM_ROWS), _LITELLM_EVENTS, ("jeanne", "secret", "88dc28")),
    Shown("litellm", "spend.json", LITELLM_JSON, _LITELLM_EVENTS, ("jeanne", "secret", "88dc28")),
    Shown(
        "openrouter-activity",
        "activity.json",
        OPENROUTER,
        (
            {
                "started_at": D26,
                "ended_at": N26,
                "calls_count": 5,
                "input_tokens": 50,
                "output_tokens": 125,
                "reasoning_tokens": 25,
                "cost": 0.027,
                "cost_currency": "USD",
            },
        ),
    ),
    Shown(
        "openrouter-generations",
        "activity.csv",
        OPENROUTER_CSV,
        (
            {
                "response_id": "gen-1763625600-AbCdEf",
                "input_tokens": 100,
                "output_tokens": 200,
                "reasoning_tokens": 50,
                "cached_input_tokens": 20,
                "stream": True,
                "status": "ok",
                "application": "Support",
                "duration_ms": 2100.0,
            },
        ),
        ("jeanne",),
    ),
    Shown(
        "server-metrics",
        "metrics.prom",
        VLLM,
        (
            {
                "started_at": "2026-11-20T08:00:00+00:00",
                "ended_at": "2026-11-20T08:15:00+00:00",
                "provider": "vllm",
                "model_requested": "Qwen/Qwen3-8B",
                "input_tokens": 600,
                "output_tokens": 100,
                "calls_count": 4,
            },
            {"input_tokens": 50, "output_tokens": 20, "calls_count": 1},
        ),
    ),
    Shown(
        "server-metrics",
        "range.json",
        PROMETHEUS,
        (
            {
                "provider": "llama.cpp",
                "input_tokens": 30,
                "output_tokens": 30,
                "calls_count": 0,
                "model_requested": None,
                "ended_at": "2025-11-20T08:01:00.500000+00:00",
            },
        ),
    ),
    Shown(
        "m365-copilot",
        "CopilotActivityUserDetail.csv",
        COPILOT,
        (
            {
                "started_at": "2026-10-24T00:00:00+00:00",
                "ended_at": "2026-11-21T00:00:00+00:00",
                "team": "Sales",
                "calls_count": 60,
                "model_requested": "microsoft-365-copilot",
                "input_tokens": None,
                "basis": "declared",
            },
            {"team": "others", "calls_count": 15 + 16 + 17, "basis": "declared"},
        ),
        ("jeanne", "Jeanne", "Legal", "Board"),
    ),
    Shown(
        "copilot-interactions",
        "audit.csv",
        INTERACTIONS,
        (
            {"started_at": "2026-11-20T00:00:00+00:00", "calls_count": 2, "team": None, "basis": "declared"},
            {"started_at": "2026-11-21T00:00:00+00:00", "calls_count": 1},
        ),
        ("jeanne",),
    ),
    Shown(
        "chatgpt-enterprise",
        "users.csv",
        CHATGPT,
        (
            {
                "started_at": "2026-11-01T00:00:00+00:00",
                "ended_at": "2026-12-01T00:00:00+00:00",
                "team": "Sales",
                "calls_count": 100,
                "model_requested": "gpt-4o",
                "provider": "openai",
                "basis": "declared",
            },
            {"calls_count": 50, "model_requested": "chatgpt-enterprise", "output_tokens": None},
        ),
        ("jeanne", "Jeanne", "paul"),
    ),
)
