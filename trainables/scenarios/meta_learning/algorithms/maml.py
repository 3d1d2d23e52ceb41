"""Model-agnostic meta-learning (Finn, Abbeel and Levine, ICML 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, final

from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from search_spaces import POSITIVE, Categorical, Float, Int, Within
from trainables.parts.model import Model
from trainables.scenarios.meta_learning.episodes import EpisodeShape, Labelled, Tasks
from trainables.scenarios.meta_learning.meta_learner import MetaLearner, TrainingStep
from trainables.scenarios.meta_learning.networks import answers, normalised_by_support
from trainables.scenarios.meta_learning.problems import Classification, Problem

Parameters = dict[str, Tensor]
OMNIGLOT_LR, SINUSOID_LR = 0.4, 0.01
OMNIGLOT_TASKS, SINUSOID_TASKS = 32, 25


@final
@dataclass(frozen=True)
class MAML(MetaLearner):
    """An initialisation that a few gradient steps on a task's support adapt to the task.

    Finn, Abbeel and Levine, "Model-Agnostic Meta-Learning for Fast Adaptation of Deep Networks",
    ICML 2017. Inner steps theta' = theta - alpha grad L_support(theta);
    the outer loss is L_query(theta'), differentiated through the inner steps, or with
    `first_order` as if their gradients were constants. All tasks of a step are adapted at once.
    By default one step in training, of 0.4 in classification (Omniglot in the authors' code) and
    of 0.01 in regression (sinusoids; at 0.4 they diverge). A step is over 32 tasks (25 sinusoids),
    each with as many queries as shots, and Adam's rate is 0.001. The authors take three steps in a
    new task, after 60,000 steps of training. After a few hundred, further steps of 0.4 than those
    that were trained for lead away, so the default is one.

    Batch normalisation over a task's queries would tell what the other queries are (Nichol,
    Achiam and Schulman, arXiv:1803.02999), so they are normalised by their support's statistics.
    The inner rate of 0.4 needs the normalisation over a batch.
    """

    published: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "optimizer": {"name": "adam", "lr": 1e-3}
    }
    indivisible: ClassVar[str | None] = "its inner steps are differentiated by torch.func"

    inner_lr: Annotated[float, Float(1e-3, 1.0, log=True), POSITIVE] = SINUSOID_LR
    inner_steps: Annotated[int, Int(1, 5), Within(Int(0, 1_000_000))] = 1
    test_steps: Annotated[int, Int(1, 10), Within(Int(0, 1_000_000))] = 1
    first_order: Annotated[bool, Categorical([False, True])] = False

    @classmethod
    def narrowing(cls, problem: Problem, classes: int) -> Mapping[str, Any]:
        if isinstance(problem, Classification):
            return {"inner_lr": {"low": 0.01, "default": OMNIGLOT_LR}}
        return {"inner_lr": {"high": 0.1, "default": SINUSOID_LR}}

    @classmethod
    def published_for(
        cls, problem: Problem, shape: EpisodeShape
    ) -> Mapping[str, Mapping[str, Any]]:
        tasks = OMNIGLOT_TASKS if isinstance(problem, Classification) else SINUSOID_TASKS
        examples = tasks * replace(shape, queries=min(shape.queries, shape.shots)).examples
        return {**cls.published, "training": {"batch_size": examples}}

    def build(self, model: Model, tasks: Tasks) -> nn.Module:
        return normalised_by_support(model.build(tasks.input_shape, tasks.problem.outputs))

    def loss(self, network: nn.Module, step: TrainingStep) -> Tensor:
        problem = step.tasks.problem

        def task_loss(support: Labelled, query: Labelled) -> Tensor:
            adapted = self.adapted(network, problem, support, self.inner_steps)
            outputs = answers(network, adapted, support.inputs, query.inputs)
            return problem.losses(outputs, query.targets).mean()

        # Each task has dropout of its own.
        losses = vmap(task_loss, randomness="different")
        return step.over_episodes(
            lambda episodes: losses(episodes.support, episodes.query), queries=step.shape.shots
        )

    def predict(
        self,
        network: nn.Module,
        problem: Problem,
        support: Labelled,
        inputs: Tensor,
        context: Tensor | None,
    ) -> Tensor:
        def task_outputs(support: Labelled, inputs: Tensor) -> Tensor:
            adapted = self.adapted(network, problem, support, self.test_steps)
            return answers(network, adapted, support.inputs, inputs)

        predicted: Tensor = vmap(task_outputs, randomness="different")(support, inputs)
        return predicted

    def adapted(
        self, network: nn.Module, problem: Problem, support: Labelled, steps: int
    ) -> Parameters:
        """The parameters after `steps` inner steps on one task's support."""

        def support_loss(parameters: Parameters) -> Tensor:
            outputs = functional_call(network, parameters, (support.inputs,))
            return problem.losses(outputs, support.targets).mean()

        parameters: Parameters = dict(network.named_parameters())
        for _ in range(steps):
            gradients = grad(support_loss)(parameters)
            if self.first_order:
                gradients = {name: each.detach() for name, each in gradients.items()}
            parameters = {
                name: each - self.inner_lr * gradients[name] for name, each in parameters.items()
            }
        return parameters
