"""What runs beside LiteLLM, in its own environment: nothing but the standard library is imported here.

`python -m pytest_aibackend.serving` starts LiteLLM and watches over it; its workers load `worker` as a
startup hook. Of LiteLLM and uvicorn only what is documented, or checked before it is used, is touched.
"""
