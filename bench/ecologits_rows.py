"""EcoLogits' own published equations, run by its package on a measured row. A bench-only dependency (MPL-2.0)."""

from __future__ import annotations

from importlib.metadata import version as package_version

from ecologits.impacts.llm import compute_llm_impacts_dag

from groundtruth import Row

__all__ = ["version", "wh_of"]


def version() -> str:
    return package_version("ecologits")


def wh_of(row: Row) -> float:
    """Wh at the accelerators of one request: EcoLogits' boards x its energy of a board. Place and PUE do not enter."""
    total = row.number("total_params_b") or row.number("active_params_b") or 1.0
    found = compute_llm_impacts_dag(
        model_active_parameter_count=row.number("active_params_b") or total,
        model_total_parameter_count=total,
        output_token_count=row.output_tokens,
        request_latency=float("inf"),
        if_electricity_mix_adpe=0.0,
        if_electricity_mix_pe=0.0,
        if_electricity_mix_gwp=0.0,
        if_electricity_mix_wue=0.0,
        datacenter_pue=1.0,
        datacenter_wue=0.0,
    )
    return float(found["gpu_required_count"]) * float(found["gpu_energy"]) * 1e3
