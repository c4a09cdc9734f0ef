"""The catalogue of public tables: source, licence, citation and caveats of each."""

from jscale.runs.public import _tidy, _tidy_gathered
from jscale.runs.public._dataset import Dataset
from jscale.runs.public._fetch import Gathered, Shipped, Upstream
from jscale.runs.tables import NATS_PER_BYTE

_RAW = "https://raw.githubusercontent.com"

CATALOGUE = (
    Dataset(
        name="precision-runs",
        summary=(
            "Micro-scale language models trained in few bits (weights, activations, KV cache), "
            "then quantised"
        ),
        licence="Apache-2.0 (made for this project)",
        paper="jscale, jscale/runs/tables/precision_runs.md",
        upstream=Shipped(("precision_runs.csv", "precision_runs_post.csv")),
        tidy=_tidy.precision_runs,
        loss_unit=NATS_PER_BYTE,
        caveats=(
            "models of 6 thousand to 0.4 million parameters on bytes: a token is a byte, and "
            "constants in units of tokens do not carry over to large models",
            "these runs can tell which parts of a model lose most at few bits, how the loss grows "
            "as bits fall, and that it grows with D/N; they cannot tell the floor E, the exponents "
            "or the best bits and critical tokens of large models",
            "laws with independent errors, fitted to the smaller 80% of the runs by compute, "
            "forecast the largest runs in full precision 3 to 10% too high, most of them outside "
            "80% bands: a trend over these sizes cannot be extrapolated",
        ),
    ),
    Dataset(
        name="chinchilla",
        summary=(
            "Chinchilla runs read off Figure 4 of Hoffmann et al.; 240 kept and 5 outliers excluded"
        ),
        published_rows=245,
        licence="none stated (points read off a published figure)",
        paper=(
            "Besiroglu et al. 2024, Chinchilla Scaling: A Replication Attempt, arXiv 2404.10102"
        ),
        upstream=Upstream(
            f"{_RAW}/epoch-research/analyzing-chinchilla/"
            "92258837425e1b5f2851d624287f0120583a3d0e/data/svg_extracted_data.csv",
            "193478df4e90f040016431996c45682659306840ecdadf83cfb9cd5ca0aa1b30",
            "chinchilla_epoch",
        ),
        tidy=_tidy.chinchilla,
        caveats=(
            "losses were read off a colour scale and take 99 distinct values; D is computed, "
            "not observed",
        ),
    ),
    Dataset(
        name="quest",
        summary="Llama-style models on C4 trained with weights and activations in 1 to 16 bits",
        published_rows=104,
        licence="MIT",
        paper=(
            "Panferov et al. 2025, QuEST: Stable Training of LLMs with 1-Bit Weights and "
            "Activations, arXiv 2502.05003"
        ),
        upstream=Upstream(
            f"{_RAW}/IST-DASLab/QuEST/c295afda142c03a89d2af04653881beccf459aa1/for_plots/"
            "runs_for_scaling.json",
            "b588f0fc2144a69a0d24c192becf70d329fd2613c69ff6d3c9ddeea3e2e702fc",
            "quest_precision",
        ),
        tidy=_tidy.quest,
        caveats=(
            "six series of methods (column group); N leaves out embeddings; the irreducible "
            "loss is not identified",
        ),
    ),
    Dataset(
        name="llama3-isoflop",
        summary="Llama 3 isoFLOP curves, ten budgets, read off Figure 2 of the paper",
        published_rows=133,
        licence="none stated (points read off a published figure)",
        paper="Grattafiori et al. 2024, The Llama 3 Herd of Models, arXiv 2407.21783",
        upstream=Upstream(
            f"{_RAW}/Open-Athena/scaling-law-analysis/"
            "3e0656ee3dce1a2c89aa67691920f5eb9d30f0fc/data/isoflops/extract/llama_3/isoflops.csv",
            "9450f8829778ce8bfb51cc9b18ef121ef18f0c81758cd8fbe74d9dcf0545a692",
            "llama3_isoflop",
        ),
        tidy=_tidy.llama3_isoflop,
        caveats=(
            "the loss is the paper's normalised one, not nats per token; N is computed, so that"
            " C = 6ND exactly",
        ),
    ),
    Dataset(
        name="clark-moe",
        summary="Routed models (1 to 512 experts) at their last evaluation",
        published_rows=223,
        licence="CC-BY 4.0",
        paper=(
            "Clark et al. 2022, Unified Scaling Laws for Routed Language Models, arXiv 2202.01169"
        ),
        upstream=Upstream(
            f"{_RAW}/google-deepmind/scaling_laws_for_routing/"
            "42da0c392b127df2c01fa7b705f72396050d05e5/data/curves.csv.gz",
            "c03e7531add85e594f368d33bac4a0220280be858a7ed12d147cf73af6a3819f",
            "moe_routing_clark",
        ),
        tidy=_tidy.clark_moe,
        caveats=(
            "all models saw the same tokens, about 1.3e11 by the paper, so there is no D; N "
            "counts active parameters",
        ),
    ),
    Dataset(
        name="datablations",
        summary=(
            "Models on C4 that read their data up to thousands of times; the 182 runs of the "
            "paper's fit kept"
        ),
        published_rows=296,
        licence="Apache-2.0",
        paper=(
            "Muennighoff et al. 2023, Scaling Data-Constrained Language Models, arXiv 2305.16264"
        ),
        upstream=Gathered(
            "datablations",
            "datablations.csv",
            "24ea7db91efde12bc8466a4c7625c422cc4d77c9ac7fa6b2ebe5d711a817fe4c",
            "huggingface/datablations",
            "13701315b163f1c54642b94ad237b2699187c3ee",
            "utils/parametric_fit.ipynb",
        ),
        tidy=_tidy_gathered.datablations,
        caveats=(
            "the authors left out runs in which repetition hurts, so a fit to the kept runs "
            "cannot show that it does; 64 runs are 4 seeds of 16 configurations",
        ),
    ),
    Dataset(
        name="gadre",
        summary=(
            "Models on C4 and RefinedWeb, 5 to 640 tokens per parameter, with errors on 46 tasks"
        ),
        published_rows=69,
        licence="MIT",
        paper=(
            "Gadre et al. 2024, Language Models Scale Reliably with Over-Training and on "
            "Downstream Tasks, arXiv 2403.08540"
        ),
        upstream=Gathered(
            "gadre_overtraining",
            "gadre_overtraining_c4_rw.csv",
            "c355cb3323f174a6162dd1dc50b4d03d58bc92c490fff694b4833a12ae08118c",
            "mlfoundations/scaling",
            "a003c4913793ac2ae7ef87b28ecb562955d026d5",
            "exp_data",
        ),
        tidy=_tidy_gathered.gadre,
        caveats=(
            "two corpora (column group): fit them one at a time; learning rates were tuned at "
            "20 tokens per parameter",
        ),
    ),
    Dataset(
        name="gemstones",
        summary=(
            "22 model shapes, narrow and wide, at successive checkpoints, hot and cooled down"
        ),
        published_rows=419,
        licence="MIT",
        paper=(
            "McLeish et al. 2025, Gemstones: A Model Suite for Multi-Faceted Scaling Laws, "
            "arXiv 2502.06857"
        ),
        upstream=Gathered(
            "gemstones",
            "gemstones_hot_cool_end.csv",
            "9498bd86d906804c698c07d9507d39500ad2e0c5feadcbd8ed264da15ad1b657",
            "mcleish7/gemstone-scaling-laws",
            "5f420478f6057b0cbb4d13405fb10ca64675bccb",
            "wandb_dfs",
        ),
        tidy=_tidy_gathered.gemstones,
        caveats=(
            "hot and cool_end (column subset) are two sets of losses of the same models: fit "
            "one at a time; rows of one shape are checkpoints of one run, and D spans a factor "
            "11",
        ),
    ),
    Dataset(
        name="porian",
        summary=(
            "IsoFLOP points on RefinedWeb under several protocols of training and of counting "
            "parameters"
        ),
        published_rows=1164,
        licence="MIT style",
        paper=(
            "Porian et al. 2024, Resolving Discrepancies in Compute-Optimal Scaling of Language"
            " Models, arXiv 2406.19146"
        ),
        upstream=Gathered(
            "porian_isoflop",
            "porian_isoflop_rw.csv",
            "9a37cbf1913c77955386b25d748c633bd01f3374d17d5982a242df5858e92a0c",
            "formll/resolving-scaling-law-discrepancies",
            "0dc60d91b8a525858a3067fc9e4a46ff5374cc6f",
            "data",
        ),
        tidy=_tidy_gathered.porian,
        caveats=(
            "choose one protocol (hparams, warmup, decay, param_count, eval): the same runs "
            "appear in several; points of one model at successive budgets are read from one "
            "training curve",
        ),
    ),
    Dataset(
        name="isoflops",
        summary=(
            "IsoFLOP points of Chinchilla and Llama 3 digitised by Open-Athena, with flags for "
            "outliers"
        ),
        published_rows=513,
        licence="none stated (points read off published figures)",
        paper="Open-Athena, scaling-law-analysis; after arXiv 2203.15556 and 2407.21783",
        upstream=Gathered(
            "isoflops_open_athena",
            "isoflops.csv",
            "7d33a2e1e08eab2a686b0a7c05211d178f7c43da2f00e4152c409080e9cc9065",
            "Open-Athena/scaling-law-analysis",
            "3e0656ee3dce1a2c89aa67691920f5eb9d30f0fc",
            "data/isoflops/transform/isoflops.csv",
        ),
        tidy=_tidy_gathered.isoflops,
        caveats=(
            "choose one source and condition (columns of that name): their losses are not in "
            "one unit, and Llama 3's points appear in two of them",
        ),
    ),
    Dataset(
        name="steplaw",
        summary="Grids over learning rate and batch in 17 cells of model size and tokens",
        published_rows=1911,
        licence="none stated",
        paper=(
            "Li et al. 2025, Predictable Scale: Part I, Optimal Hyperparameter Scaling Law, "
            "arXiv 2503.04715"
        ),
        upstream=Gathered(
            "steplaw",
            "steplaw_dense.csv",
            "b32eaf89c3ca1b824614312590cbadf3292806257d2ac6d62332d002dcc74fbf",
            "step-law/steplaw",
            "32a8f4cc50247695fb56cc6c9117abdf67c97763",
            "data/dense_lr_bs_loss.csv",
        ),
        tidy=_tidy_gathered.steplaw,
        caveats=(
            "most runs are far from the best learning rate and batch, and some diverged: do not"
            " fit the loss to N and D",
        ),
    ),
    Dataset(
        name="vocab",
        summary=(
            "Models with vocabularies of 4 to 96 thousand entries, each at 20 lengths of training"
        ),
        published_rows=1200,
        licence="none stated",
        paper="Tao et al. 2024, Scaling Laws with Vocabulary, arXiv 2407.13623",
        upstream=Gathered(
            "vocab_scaling",
            "vocab_scaling.csv",
            "1cfe9e2742e57d3371e9617dd7425d44a31ec3739e5ad16c97b023bdf9329355",
            "sail-sg/scaling-with-vocab",
            "6701cc202af8b075a46eef8e9d263b3f2ebe012c",
            "exp_data.csv",
        ),
        tidy=_tidy_gathered.vocab,
        caveats=(
            "loss_u is relative to a unigram model's loss and is negative; D is computed from "
            "the characters read",
        ),
    ),
)
