# CPU:  docker build --target cpu -t imagesupscaler .
# CUDA: docker build --target cuda -t imagesupscaler:cuda .
# Run:  docker run --rm -p 127.0.0.1:7860:7860 -e PUBLIC_URL=http://127.0.0.1:7860 \
#         -e LOCAL_PASSPHRASE=… -v imagesupscaler:/data imagesupscaler
# Also: docker run --rm -v "$PWD:/pictures" -v imagesupscaler:/data imagesupscaler \
#         upscale /pictures/photo.jpg /pictures/photo_4x.png
#
# The targets differ in where torch comes from. The package index alone holds the CUDA build for
# Linux, gigabytes of it; PyTorch's own CPU index holds the small one.
ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS base
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1
RUN useradd --create-home --uid 1000 user && mkdir /data && chown user /data
WORKDIR /app
COPY pyproject.toml constraints.txt ./

FROM base AS cuda-dependencies
ARG TORCH_INDEX=https://download.pytorch.org/whl/cu130
RUN python -m pip install --constraint constraints.txt --extra-index-url "$TORCH_INDEX" .

FROM base AS cpu-dependencies
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN python -m pip install --constraint constraints.txt --index-url "$TORCH_INDEX" torch torchvision
RUN python -m pip install --constraint constraints.txt .

FROM cuda-dependencies AS cuda
COPY --chown=user . .
USER user
ENV DATA_DIR=/data
ENV HOST=0.0.0.0 PORT=7860
ENTRYPOINT ["python", "-m", "app"]
EXPOSE 7860
CMD ["serve"]

# Last, so that it is what a build without --target gives, as on a Hugging Face Space.
FROM cpu-dependencies AS cpu
COPY --chown=user . .
USER user
ENV DATA_DIR=/data
ENV HOST=0.0.0.0 PORT=7860
ENTRYPOINT ["python", "-m", "app"]
EXPOSE 7860
CMD ["serve"]
