"""What the gateway has to do so that the sources come true: pure, without text and without network."""

from pytest_aibackend.litellm.plan.planner import plan_gateway
from pytest_aibackend.litellm.plan.types import PROBLEM_SEVERITIES, Deployment, GatewayPlan

__all__ = ["PROBLEM_SEVERITIES", "Deployment", "GatewayPlan", "plan_gateway"]
