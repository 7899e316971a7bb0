"""What an operator looks at: `wugan status`, figures for Prometheus, rules and a dashboard."""
