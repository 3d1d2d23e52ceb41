import math
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jvp, vmap
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from trainables.learning.flops import FlopCounter, UncountedOperation, register_formula


def flops(work: Callable[[], object]) -> int:
    with FlopCounter() as counter:
        work()
    return counter.total


def stock_flops(work: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def test_linear_layers_cost_two_matrix_products_and_three_once_the_input_needs_a_gradient() -> (
    None
):
    first, second = nn.Linear(5, 7), nn.Linear(7, 3)
    batch = torch.randn(4, 5)
    one, two = 2 * 4 * 5 * 7, 2 * 4 * 7 * 3
    assert flops(lambda: second(first(batch))) == one + two
    assert flops(lambda: second(first(batch)).sum().backward()) == 2 * one + 3 * two
    batch.requires_grad_()
    assert flops(lambda: second(first(batch)).sum().backward()) == 3 * one + 3 * two


def test_a_gradient_that_is_not_asked_for_is_not_counted() -> None:
    layer = nn.Linear(5, 7)
    layer.weight.requires_grad_(False)
    assert flops(lambda: layer(torch.randn(4, 5)).sum().backward()) == 2 * 4 * 5 * 7


# Multiply-adds = batch x output positions x output channels x input channels of a group x kernel.
CONVOLUTIONS = {
    "plain": (nn.Conv2d(3, 4, 3), (2, 3, 8, 8), 2 * 6 * 6 * 4 * 3 * 9),
    "padding": (nn.Conv2d(3, 4, 3, padding=1), (2, 3, 8, 8), 2 * 8 * 8 * 4 * 3 * 9),
    "stride": (nn.Conv2d(3, 4, 3, stride=2, padding=1), (2, 3, 8, 8), 2 * 4 * 4 * 4 * 3 * 9),
    "dilation": (nn.Conv2d(3, 4, 3, dilation=2), (2, 3, 8, 8), 2 * 4 * 4 * 4 * 3 * 9),
    "groups": (nn.Conv2d(4, 6, 3, groups=2), (2, 4, 8, 8), 2 * 6 * 6 * 6 * 2 * 9),
    "depthwise": (nn.Conv2d(4, 4, 3, groups=4), (2, 4, 8, 8), 2 * 6 * 6 * 4 * 1 * 9),
    "one dimension": (nn.Conv1d(3, 4, 5), (2, 3, 20), 2 * 16 * 4 * 3 * 5),
    "three dimensions": (nn.Conv3d(2, 3, 2), (1, 2, 4, 4, 4), 27 * 3 * 2 * 8),
    # Transposed: each input position meets each weight of its group.
    "transposed": (nn.ConvTranspose2d(3, 4, 3), (2, 3, 8, 8), 2 * 8 * 8 * 3 * 4 * 9),
    "transposed groups": (
        nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2),
        (2, 4, 5, 5),
        2 * 5 * 5 * 4 * 3 * 9,
    ),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions_by_hand(name: str) -> None:
    layer, shape, multiply_adds = CONVOLUTIONS[name]
    forward = 2 * multiply_adds
    batch = torch.randn(shape)
    assert flops(lambda: layer(batch)) == forward
    assert flops(lambda: layer(batch).sum().backward()) == 2 * forward
    batch.requires_grad_()
    assert flops(lambda: layer(batch).sum().backward()) == 3 * forward


def test_the_gradient_of_a_bias_is_free() -> None:
    layer = nn.Conv2d(3, 4, 3)
    layer.weight.requires_grad_(False)
    assert flops(lambda: layer(torch.randn(2, 3, 8, 8)).sum().backward()) == flops(
        lambda: layer(torch.randn(2, 3, 8, 8))
    )


class SmallConvNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(4, 6, 3, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(6 * 4 * 4, 5),
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.body(images)


Parameters = dict[str, Tensor]


@pytest.fixture
def network() -> tuple[SmallConvNet, Parameters]:
    model = SmallConvNet()
    return model, {name: value.detach() for name, value in model.named_parameters()}


def maml_loss(model: nn.Module, parameters: Parameters, *task: Tensor) -> Tensor:
    """The query loss after one inner step of gradient descent on the support set."""

    def loss(current: Parameters, images: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(functional_call(model, current, (images,)), labels)

    support, support_labels, query, query_labels = task
    slopes = grad(loss)(parameters, support, support_labels)
    adapted = {name: value - 0.1 * slopes[name] for name, value in parameters.items()}
    return loss(adapted, query, query_labels)


def test_maml_costs_the_same_vmapped_over_tasks_and_looped(
    network: tuple[SmallConvNet, Parameters],
) -> None:
    model, parameters = network
    count = 4
    images = torch.randn(count, 5, 1, 8, 8)
    labels = torch.arange(5).expand(count, 5)
    tasks = (images, labels, images.flip(1), labels.flip(1))

    def vmapped(parameters: Parameters) -> Tensor:
        return vmap(lambda *task: maml_loss(model, parameters, *task))(*tasks).sum()

    def looped(parameters: Parameters) -> Tensor:
        return torch.stack(
            [maml_loss(model, parameters, *(part[i] for part in tasks)) for i in range(count)]
        ).sum()

    measured = flops(lambda: grad(vmapped)(parameters))
    assert measured == flops(lambda: grad(looped)(parameters)) > 0
    assert stock_flops(lambda: grad(looped)(parameters)) == measured
    assert stock_flops(lambda: grad(vmapped)(parameters)) > 1.2 * measured


def test_per_sample_gradients_cost_the_same_vmapped_and_looped(
    network: tuple[SmallConvNet, Parameters],
) -> None:
    model, parameters = network
    images, labels = torch.randn(6, 1, 8, 8), torch.arange(6) % 5

    def loss(parameters: Parameters, image: Tensor, label: Tensor) -> Tensor:
        logits = functional_call(model, parameters, (image[None],))
        return F.cross_entropy(logits, label[None])

    def vmapped() -> object:
        return vmap(grad(loss), in_dims=(None, 0, 0))(parameters, images, labels)

    def looped() -> object:
        return [grad(loss)(parameters, *one) for one in zip(images, labels, strict=True)]

    measured = flops(vmapped)
    assert measured == flops(looped) > 0
    assert stock_flops(vmapped) > 2 * measured


def test_forward_mode_derivatives_are_counted() -> None:
    inputs = (torch.randn(4, 5), torch.randn(5, 7))
    # The value, and by the product rule one product for each tangent.
    assert flops(lambda: jvp(torch.mm, inputs, inputs)) == 3 * (2 * 4 * 5 * 7)


def test_matrix_vector_products_and_their_like() -> None:
    matrix, vector = torch.randn(6, 4), torch.randn(4)
    assert flops(lambda: matrix @ vector) == 2 * 6 * 4
    assert flops(lambda: torch.addmv(torch.zeros(6), matrix, vector)) == 2 * 6 * 4
    assert flops(lambda: vector @ vector) == 2 * 4
    assert flops(lambda: torch.vdot(vector, vector)) == 2 * 4
    assert flops(lambda: torch.einsum("ij,kj->ik", matrix, matrix)) == 2 * 6 * 4 * 6
    batch = torch.randn(3, 6, 4)
    assert flops(lambda: torch.addbmm(torch.zeros(6, 6), batch, batch.mT)) == 3 * 2 * 6 * 4 * 6


def test_products_in_place_and_into_a_given_tensor_count_like_others() -> None:
    first, second, result = torch.randn(3, 4), torch.randn(4, 5), torch.zeros(3, 5)
    assert flops(lambda: result.addmm_(first, second)) == 2 * 3 * 4 * 5
    assert flops(lambda: torch.mm(first, second, out=result)) == 2 * 3 * 4 * 5


def test_inference_mode_is_counted() -> None:
    def work() -> None:
        with torch.inference_mode():
            nn.Linear(5, 7)(torch.randn(2, 4, 5))

    assert flops(work) == 2 * 8 * 5 * 7


def test_fourier_transforms_cost_n_log_n() -> None:
    signal = torch.randn(3, 16, 32)
    whole = 5 * 32 * 5
    assert flops(lambda: torch.fft.fft(signal.to(torch.complex64))) == 3 * 16 * whole
    assert flops(lambda: torch.fft.rfft(signal)) == 3 * 16 * whole // 2
    assert flops(lambda: torch.fft.irfft(torch.fft.rfft(signal))) == 3 * 16 * whole
    assert flops(lambda: torch.fft.rfft2(signal)) == 3 * 5 * (16 * 32) * math.log2(16 * 32) / 2


def test_attention_counts_its_two_products_and_the_five_of_its_backward_pass() -> None:
    query = torch.randn(2, 3, 6, 8, requires_grad=True)
    product = 2 * (2 * 3) * 6 * 6 * 8

    def attention() -> Tensor:
        return F.scaled_dot_product_attention(query, query, query)

    assert flops(attention) == 2 * product
    assert flops(lambda: attention().sum().backward()) == (2 + 5) * product
    assert stock_flops(attention) == 0


def test_distances_and_bilinear_forms() -> None:
    near, far = torch.randn(7, 4), torch.randn(5, 4)
    assert flops(lambda: torch.cdist(near, far, p=1.0)) == 3 * 7 * 5 * 4
    assert flops(lambda: F.pdist(near)) == 3 * 21 * 4
    many = torch.randn(30, 4)
    assert flops(lambda: torch.cdist(many, far)) == 2 * 30 * 5 * (4 + 2)
    weight = torch.randn(3, 4, 4)
    assert flops(lambda: F.bilinear(near, near, weight)) == 3 * 7 * 3 * 4 * 4


def test_linear_systems_cost_their_factors_and_two_substitutions() -> None:
    systems, right = torch.eye(6).expand(5, 6, 6) + 0.1, torch.randn(5, 6, 2)
    assert flops(lambda: torch.linalg.solve(systems, right)) == 5 * (144 + 2 * 36 * 2)
    assert flops(lambda: torch.linalg.solve(systems[0], right[0, :, 0])) == 144 + 2 * 36


def test_recurrent_cells_are_counted_through_their_matrix_products() -> None:
    cell, batch = nn.LSTMCell(5, 6), torch.randn(4, 5)
    assert flops(lambda: cell(batch)) == 2 * 4 * (4 * 6) * (5 + 6)


def encoder_in_eval() -> object:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    with torch.no_grad():
        return layer(torch.randn(5, 3, 8))


def attention_module_in_eval() -> object:
    layer = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    tokens = torch.randn(5, 3, 8)
    with torch.no_grad():
        return layer(tokens, tokens, tokens)


SQUARE = torch.eye(4) + 0.1
UNCOUNTED: dict[str, Callable[[], object]] = {
    "aten.mkldnn_rnn_layer": lambda: nn.LSTM(8, 6)(torch.randn(5, 3, 8)),
    "aten._transformer_encoder_layer_fwd": encoder_in_eval,
    "aten._native_multi_head_attention": attention_module_in_eval,
    "aten.linalg_inv_ex": lambda: torch.linalg.inv(SQUARE),
    "aten.cholesky_inverse": lambda: torch.cholesky_inverse(SQUARE),
    "aten._linalg_svd": lambda: torch.linalg.svd(SQUARE),
    "aten.linalg_qr": lambda: torch.linalg.qr(SQUARE),
    "aten._linalg_eigh": lambda: torch.linalg.eigh(SQUARE),
    "aten.linalg_eig": lambda: torch.linalg.eig(SQUARE),
    "aten.linalg_pinv": lambda: torch.linalg.pinv(SQUARE),
    "aten.linalg_matrix_exp": lambda: torch.linalg.matrix_exp(SQUARE),
    "aten.linalg_solve_triangular": lambda: torch.linalg.solve_triangular(
        SQUARE, SQUARE, upper=True
    ),
    "aten.conv_tbc": lambda: torch.conv_tbc(
        torch.randn(8, 2, 3), torch.randn(3, 3, 4), torch.zeros(4)
    ),
    "aten._int_mm": lambda: torch._int_mm(*[torch.ones(32, 32, dtype=torch.int8)] * 2),
}


@pytest.mark.parametrize("operation", UNCOUNTED)
def test_a_heavy_operation_without_a_formula_raises_and_names_itself(operation: str) -> None:
    with pytest.raises(UncountedOperation, match="register_formula") as raised:
        flops(UNCOUNTED[operation])
    assert str(raised.value).startswith(f"{operation} ")
    assert stock_flops(UNCOUNTED[operation]) == 0


def test_a_heavy_operation_in_the_backward_pass_raises_too() -> None:
    matrix = (SQUARE @ SQUARE.T).requires_grad_()
    loss = torch.logdet(matrix)
    with pytest.raises(UncountedOperation, match="linalg_lu_solve"):
        flops(loss.backward)


def test_light_operations_are_free() -> None:
    values = torch.randn(2, 3, 8, 8, requires_grad=True)

    def work() -> None:
        scaled = F.interpolate(F.avg_pool2d(values.relu(), 2), scale_factor=2, mode="bilinear")
        (
            F.batch_norm(scaled, None, None, training=True).softmax(1).norm() + values.std()
        ).backward()

    assert flops(work) == 0


def test_a_foreign_kernel_has_to_say_what_it_costs() -> None:
    @torch.library.custom_op("automl_cl_test::triple", mutates_args=())
    def triple(values: Tensor) -> Tensor:
        return values * 3

    with pytest.raises(UncountedOperation, match=r"automl_cl_test\.triple"):
        flops(lambda: triple(torch.ones(5)))
    register_formula(
        torch.ops.automl_cl_test.triple.default, lambda values, out_shape: 7 * math.prod(out_shape)
    )
    assert flops(lambda: triple(torch.ones(5))) == 35


def test_the_total_can_be_read_inside_and_starts_again_at_each_entry() -> None:
    matrix = torch.randn(3, 3)
    counter = FlopCounter()
    assert counter.total == 0
    for _ in range(2):
        with counter:
            _ = matrix @ matrix
            assert counter.total == 54
            _ = matrix @ matrix
        _ = matrix @ matrix
        assert counter.total == 108
        assert isinstance(counter.total, int)


def test_counters_nest() -> None:
    matrix = torch.randn(3, 3)
    with FlopCounter() as outer:
        _ = matrix @ matrix
        with FlopCounter() as inner:
            _ = matrix @ matrix
    assert (outer.total, inner.total) == (108, 54)


def test_counting_leaves_results_and_random_numbers_alone(
    network: tuple[SmallConvNet, Parameters],
) -> None:
    model, parameters = network
    images = torch.randn(2, 1, 8, 8)

    def work() -> Tensor:
        torch.manual_seed(0)
        return F.dropout(functional_call(model, parameters, (images,))) + torch.rand(2, 5)

    plain = work()
    with FlopCounter() as counter:
        counted = work()
    assert counter.total > 0
    assert torch.equal(plain, counted)


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    assert flops(lambda: nn.Linear(5, 7)(torch.randn(4, 5)).sum().backward()) > 0
    assert capfd.readouterr() == ("", "")


def test_the_error_survives_the_way_back_from_a_worker() -> None:
    with pytest.raises(UncountedOperation) as raised:
        flops(UNCOUNTED["aten.linalg_qr"])
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)


def test_a_cholesky_factor_is_a_third_of_the_cube_for_each_matrix() -> None:
    matrices = torch.eye(6).expand(5, 6, 6).contiguous()
    assert flops(lambda: torch.linalg.cholesky_ex(matrices)) == 5 * 6**3 // 3


def test_cholesky_factors_cost_the_same_together_as_one_by_one() -> None:
    matrices = torch.eye(4).expand(5, 4, 4).contiguous()  # 4^3 is no multiple of 3
    alone = flops(lambda: [torch.linalg.cholesky_ex(each) for each in matrices])
    assert flops(lambda: torch.linalg.cholesky_ex(matrices)) == alone
