"""What the lecture decks teach, each with the public names that do it and what checks it.

A line is `item | names | checks`. Names are dotted, below `etude`. A check is the name of a
function with cases in the table (`cases_*.py`), `file::function`, or `backends:entry` of the table
in test_teaches_backends.py. Indented lines go on.
"""

from __future__ import annotations

ROWS = {
    "activations": """
identity | nn.Identity | test_nn_torch::test_values_and_gradients_are_torch_s backends:identity
hard threshold 1[x >= b] | hard_threshold nn.HardThreshold | hard_threshold
sigmoid | sigmoid nn.Sigmoid | sigmoid
tanh | tanh nn.Tanh | tanh
ReLU, derivative 0 at 0 | relu nn.ReLU | relu
softplus | softplus nn.Softplus | softplus
leaky ReLU, slope by argument | leaky_relu nn.LeakyReLU | leaky_relu
ELU(alpha) | elu nn.ELU | elu
softmax with max shift | softmax nn.Softmax | softmax
log-softmax | log_softmax nn.LogSoftmax | log_softmax
""",
    "losses": """
squared error: sum, half, mean | squared_error mse_loss nn.MSELoss | squared_error mse_loss
binary cross-entropy on probabilities | binary_cross_entropy nn.BCELoss | binary_cross_entropy
binary, on logits | binary_cross_entropy_with_logits | binary_cross_entropy_with_logits
cross-entropy on probabilities | nll_loss cross_entropy | nll_loss cross_entropy
cross-entropy fused with softmax | cross_entropy nn.CrossEntropyLoss | cross_entropy
sequence cross-entropy, mean over time | sequence_cross_entropy | sequence_cross_entropy
Gaussian negative log-likelihood | gaussian_nll_loss nn.GaussianNLLLoss | gaussian_nll_loss
multinomial negative log-likelihood | multinomial_nll_loss | multinomial_nll_loss
contrastive (siamese) | contrastive_loss nn.ContrastiveLoss | contrastive_loss
ELBO | elbo | elbo
    test_models_unsupervised::test_the_elbo_meets_the_likelihood_at_the_exact_posterior
closed-form Gaussian KL | gaussian_kl | gaussian_kl
GAN minimax and non-saturating | gan_discriminator_loss gan_generator_loss | gan_generator_loss
InfoGAN mutual-information bound | mutual_information_bound | mutual_information_bound
CRF energy, two Gaussian kernels | crf_pairwise crf_energy | crf_pairwise crf_energy
CRF mean-field inference | crf_mean_field | crf_mean_field
""",
    "penalties": """
L2 as kappa/2, lambda/2, lambda sum W^2 on weights only | l2_penalty | l2_penalty
L1 with its sign update | l1_penalty | l1_penalty
activity L1 | activity_penalty | activity_penalty
Frobenius norm of the encoder's Jacobian | contractive_penalty | contractive_penalty
""",
    "graph": """
backpropagation by module and by graph | Tensor.backward grad |
    test_autograd::test_shared_parts_are_visited_once backends:derivatives
DAGs (Inception) | models.GoogLeNet |
    test_models_torch::test_googlenet_is_torchs_with_its_auxiliary_heads
    test_models_backends::test_outputs_and_gradients_are_numpys
stored forward pass | graph.record | test_graph::test_training_steps_replay_to_the_bit
shared weights | models.Siamese | test_models_more::test_siamese_is_torchs
    test_models_backends::test_outputs_and_gradients_are_numpys
full back-propagation through time | training.bptt |
    test_teaches_tools::test_full_back_propagation_through_time_is_the_plain_gradient
    backends:through-time
truncated back-propagation through time | training.bptt |
    test_teaches_tools::test_truncated_back_propagation_stops_at_the_window backends:through-time
gradient check | gradcheck gradgradcheck | test_gradcheck::test_a_wrong_gradient_is_placed
    backends:gradcheck
higher-order gradients | grad | test_autograd::test_first_second_and_third_derivative
    backends:derivatives
""",
    "descent": """
batch, stochastic, mini-batch; epochs | data.DataLoader optim.SGD |
    test_data::test_batches_have_the_size_asked_for
    test_data::test_batches_move_to_a_backend_and_are_the_same_on_all
random partition | data.DataLoader data.sample_indices |
    test_data::test_each_epoch_has_an_order_of_its_own_that_depends_on_the_seed
    test_data::test_batches_move_to_a_backend_and_are_the_same_on_all
sampling with and without replacement | data.sample_indices |
    test_teaches_tools::test_samples_with_and_without_replacement backends:samples
momentum of D0 and of D2 | optim.SGD | test_optim_decks::test_momentum_in_the_form_of_each_deck
Nesterov, gradient at W - rho V | optim.Nesterov optim.SGD |
    test_optim_decks::test_nesterov_s_gradient_is_taken_ahead
AdaGrad, epsilon inside the root | optim.Adagrad |
    test_optim_decks::test_adagrad_with_epsilon_inside_the_root
RMSProp, Adam, AdamW, AMSGrad | optim.RMSprop optim.Adam optim.AdamW |
    test_optim_torch::test_twenty_steps_are_torch_s
    test_optim_rules::test_every_backend_takes_the_same_steps
weight decay, coupled and decoupled | optim.SGD optim.AdamW |
    test_optim_torch::test_twenty_steps_are_torch_s
    test_optim_rules::test_every_backend_takes_the_same_steps
global-norm clipping | optim.clip_grad_norm_ | test_optim_torch::test_clipping_by_norm_is_torch_s
    test_optim_rules::test_clipping_on_every_backend
gradient noise sigma0 / (1 + t)^kappa | optim.GradientNoise |
    test_optim_decks::test_gradient_noise_fades
all of them together | optim.AllTogether | test_optim_decks::test_all_together_is_the_last_slide
in compiled steps | compile | test_compile_train::test_training_is_equal_to_eager_to_the_bit
""",
    "schedules": """
time-based | optim.TimeDecayLR | test_optim_decks::test_the_decks_schedules
step, exponential | optim.StepLR optim.ExponentialLR | test_optim_torch::test_schedules_are_torch_s
1/r (Robbins-Monro) | optim.RobbinsMonroLR | test_optim_decks::test_the_decks_schedules
restart from the best iterate | optim.RestartFromBest |
    test_optim_decks::test_a_restart_goes_back_to_the_best_iterate backends:restarts
cosine | optim.CosineAnnealingLR | test_optim_torch::test_schedules_are_torch_s
warm-up | optim.LinearLR optim.SequentialLR | test_optim_torch::test_schedules_are_torch_s
range test | optim.lr_range_test |
    test_optim_decks::test_a_range_test_finds_a_rate_and_puts_all_back backends:rates
0.3 ... 0.001 | optim.try_rates | test_optim_decks::test_the_deck_s_rates_are_tried_from_one_start
    backends:rates
""",
    "initialisation": """
zero, constant (positive ReLU bias) | nn.init.zeros_ nn.init.constant_ | test_init::test_constants
    backends:starts
normal, uniform(+-sqrt(3) sigma) | nn.init.normal_ nn.init.uniform_ | test_init::test_spread
    test_init::test_one_seed_gives_the_same_bits_on_every_backend
Xavier 1/sqrt(N) | nn.init.lecun_normal_ | test_init::test_spread
    test_init::test_one_seed_gives_the_same_bits_on_every_backend
Xavier sqrt(2/(n_in + n_out)) | nn.init.xavier_normal_ nn.init.xavier_uniform_ |
    test_init::test_spread
    test_init::test_one_seed_gives_the_same_bits_on_every_backend
He | nn.init.kaiming_normal_ |
    test_init::test_the_variance_of_a_deep_relu_net_stays_with_he_and_fades_with_a_plain_sigma
    test_init::test_one_seed_gives_the_same_bits_on_every_backend
Kumar | nn.init.kumar_normal_ | test_teaches_tools::test_kumar_for_any_activation
    test_init::test_one_seed_gives_the_same_bits_on_every_backend
orthogonal by SVD (Saxe) | nn.init.orthogonal_ |
    test_teaches_tools::test_orthogonal_by_svd_is_numpy_s
LSUV (Mishkin & Matas) | nn.lsuv_ | test_teaches_tools::test_lsuv_gives_every_layer_unit_variance
""",
    "regularisers": """
dropout | dropout nn.Dropout | dropout test_nn_module::test_dropout_is_on_in_training_only
batch norm with running averages | nn.BatchNorm1d nn.BatchNorm2d | batch_norm
    test_nn_torch::test_values_and_gradients_are_torch_s
layer norm | nn.LayerNorm | layer_norm
local response norm | nn.LocalResponseNorm | local_response_norm
L2-normalise layer | nn.L2Normalize normalize |
    test_nn_pool_more::test_vectors_come_out_on_the_unit_sphere backends:unit-length
early stopping with restore-best | training.EarlyStopping |
    test_train::test_early_stopping_stops_and_restores_the_best backends:trainer
weight sharing | models.Siamese | test_models_more::test_siamese_is_torchs
    test_models_backends::test_outputs_and_gradients_are_numpys
multi-task heads | nn.MultiTask | test_teaches_tools::test_heads_share_a_trunk backends:heads
curriculum sampling | data.curriculum_indices |
    test_teaches_tools::test_a_curriculum_begins_with_the_easy_ones backends:samples
unsupervised pretraining | models.pretrain_stack |
    test_models_unsupervised::test_a_stack_is_pretrained_in_place_and_carries_a_classifier
    backends:stack
""",
    "convolution": """
cross-correlation | conv2d nn.Conv2d | conv2d
true (flipped) convolution | convolve2d | convolve2d
stride, dilation, groups, depthwise, 1x1 | conv2d nn.Conv2d | conv2d
padding zero, constant, reflect, replicate, same | pad nn.Conv2d | pad
transposed | conv_transpose2d nn.ConvTranspose2d | conv_transpose2d
mean filter | mean_kernel filter2d | mean_kernel filter2d
Sobel | sobel_kernels | sobel_kernels
DoG | dog_kernel gaussian_kernel | dog_kernel gaussian_kernel
""",
    "pooling": """
max, overlapping | max_pool2d nn.MaxPool2d | max_pool2d
mean, global average | avg_pool2d nn.AvgPool2d adaptive_avg_pool2d | avg_pool2d adaptive_avg_pool2d
L2 | lp_pool2d nn.LPPool2d | lp_pool2d
adaptive | adaptive_max_pool2d nn.AdaptiveMaxPool2d nn.AdaptiveAvgPool2d | adaptive_max_pool2d
RoI pooling | roi_pool nn.RoIPool | roi_pool
spatial pyramid | spatial_pyramid_pool nn.SpatialPyramidPool | spatial_pyramid_pool
max-unpooling | max_unpool2d nn.MaxUnpool2d | max_unpool2d
    test_nn_pool_more::test_unpooling_is_torch_s
""",
    "recurrent, text": """
simple RNN, LSTM, GRU | nn.RNN nn.LSTM nn.GRU | test_nn_recurrent::test_layers
    backends:RNN backends:LSTM backends:GRU
embedding | nn.Embedding | embedding
word vectors and analogy by shifts | analogy | analogy
character language model | models.CharRNN models.char_lstm |
    test_models_more::test_char_rnn_is_torchs
    test_models_backends::test_outputs_and_gradients_are_numpys
POS/NER-style tag head | models.Tagger | test_models_more::test_tagger_is_torchs
    test_models_backends::test_outputs_and_gradients_are_numpys
semantic hashing to 32 bits | semantic_hash hamming_distance | semantic_hash hamming_distance
""",
    "architectures": """
MLP, LeNet-5 | models.mlp models.LeNet5 | test_models::test_lenet_is_torchs_with_the_same_weights
    test_models::test_one_seed_gives_one_lenet_on_every_backend
Neocognitron-style stack | models.Neocognitron |
    test_models_more::test_neocognitron_is_its_equations
    test_models_backends::test_outputs_and_gradients_are_numpys
AlexNet, ZFNet, Network-in-network | models.AlexNet models.ZFNet models.NetworkInNetwork |
    test_models_sizes::test_parameters_are_as_published
    test_models_backends::test_outputs_and_gradients_are_numpys
GoogLeNet with auxiliary heads | models.GoogLeNet |
    test_models_torch::test_googlenet_is_torchs_with_its_auxiliary_heads
    test_models_backends::test_outputs_and_gradients_are_numpys
VGG-11/13/16/19 | models.vgg11 models.vgg13 models.vgg16 models.vgg19 |
    test_models_sizes::test_parameters_are_as_published
    test_models_backends::test_outputs_and_gradients_are_numpys
ResNets, DenseNet-121, SE-ResNet | models.resnet152 models.resnet20 models.densenet121
    models.se_resnet50 | test_models_torch::test_densenet_is_torchs
    test_models_backends::test_outputs_and_gradients_are_numpys
siamese, FCN | models.Siamese models.FCN | test_models_more::test_fcn_is_torchs
    test_models_backends::test_outputs_and_gradients_are_numpys
Fast/Faster R-CNN head, RPN | models.RPN models.RoIHead models.FasterRCNN |
    test_models_detection::test_squares_are_found backends:detector
RBM and DBN | models.RBM models.contrastive_divergence models.DBN |
    test_models_rbm::test_the_gradient_of_free_energies_is_that_of_the_likelihood
    test_models_rbm::test_energies_and_conditionals_are_those_of_the_joint backends:DBN
counts of parameters and multiply-adds | graph.record |
    test_models_sizes::test_multiply_adds_are_as_published
""",
    "unsupervised": """
linear autoencoder = PCA subspace | models.dense_autoencoder |
    test_models_unsupervised::test_a_linear_autoencoder_learns_the_principal_subspace
    backends:linear-code
under/overcomplete, sparse, denoising, contractive, deep | models.Autoencoder models.sparse
    models.masking models.gaussian_noise models.contractive |
    test_models_unsupervised::test_every_kind_learns_and_compiles
stacked greedy; encoder + classifier | models.pretrain_stack models.with_classifier |
    test_models_unsupervised::test_a_stack_is_pretrained_in_place_and_carries_a_classifier
    backends:stack
VAE with reparameterisation | models.VAE reparameterize | reparameterize
    test_models_unsupervised::test_the_elbo_rises_and_samples_have_the_datas_mean
GAN with k steps, D* in 1-D | models.GAN models.gan_step optimal_discriminator |
    optimal_discriminator
    test_models_unsupervised::test_a_discriminator_finds_d_star_in_one_dimension
InfoGAN with c1..c3 | models.InfoGAN |
    test_models_unsupervised::test_the_code_of_an_infogan_can_be_read_back
    test_models_unsupervised::test_adversaries_train_alike_eagerly_and_compiled backends:InfoGAN
latent arithmetic and traversals | visualize.latent_arithmetic visualize.traversal |
    test_visualize_views::test_arithmetic_of_codes backends:codes
""",
    "data": """
MNIST, Fashion-MNIST | data.mnist data.fashion_mnist |
    test_data_sets::test_mnist_is_read_from_a_folder_plain_or_gzipped
CIFAR-10/100 | data.cifar10 data.cifar100 | test_data_cifar::test_cifar_10_is_read_in_both_versions
image folders | data.ImageFolder |
    test_data_folder::test_pictures_are_read_by_class_when_they_are_asked_for
normalise | data.transforms.Normalize |
    test_data_transforms::test_normalize_fits_the_channels_of_a_dataset backends:augmentation
70/30 and train/validation/test | data.train_validation_test data.random_split |
    test_data_folds::test_seventy_to_thirty_and_thirty_of_the_first_to_validate
flip, crop | data.transforms.RandomFlip data.transforms.RandomCrop |
    test_data_transforms::test_crops_are_windows_of_the_image backends:augmentation
rotate, zoom | data.transforms.RandomRotation data.transforms.RandomZoom |
    test_data_transforms::test_a_turn_by_90_degrees_is_rot90 backends:augmentation
brightness, contrast | data.transforms.RandomBrightness data.transforms.RandomContrast |
    test_data_transforms::test_brightness_contrast_and_saturation_are_blends backends:augmentation
noise, colour intensity | data.transforms.GaussianNoise data.transforms.Lighting |
    test_data_transforms::test_noise_has_the_statistics_asked_for backends:augmentation
5-, 10-crop, 144 views | data.transforms.five_crop data.transforms.ten_crop
    data.transforms.googlenet_views | test_data_transforms::test_144_views backends:augmentation
ensembles | nn.Ensemble | test_teaches_tools::test_an_ensemble_is_the_mean_of_its_models
    backends:averages
""",
    "transfer": """
frozen bottleneck features cached | transfer.bottleneck_features |
    test_transfer::test_a_broken_run_goes_on_where_it_was
    test_transfer::test_features_on_every_backend
fine-tuning | transfer.load_weights | test_transfer::test_what_does_not_fit_is_reported
    backends:transfer
new head trained, the rest frozen | nn.Module.requires_grad_ |
    test_transfer::test_frozen_layers_stay_and_the_last_learns backends:transfer
replacing the last layer | transfer.replace_last_layer |
    test_transfer::test_the_last_layer_is_replaced backends:transfer
""",
    "looking inside": """
activation and derivative curves | visualize.plot_activations |
    test_visualize_training::test_derivatives_of_activations backends:looks
learning curves | visualize.plot_history |
    test_visualize_training::test_learning_curves_are_the_historys backends:trainer
per-layer gradient norms | visualize.gradient_norms |
    test_visualize::test_norms_of_gradients_fall_by_the_slope_of_each_layer backends:looks
first-layer filters | visualize.plot_filters |
    test_visualize_figures::test_every_picture_is_drawn_here
unit-maximising inputs | visualize.maximise |
    test_visualize::test_the_input_that_excites_a_linear_unit_is_its_weights backends:looks
deconvolution view | visualize.deconvolution |
    test_visualize::test_pooling_is_undone_by_its_switches backends:deconvolution
saliency | visualize.saliency | test_visualize::test_the_saliency_of_a_linear_model_is_its_weights
    backends:looks
adversarial | visualize.fgsm visualize.deepfool |
    test_visualize::test_a_step_of_the_gradient_sign_is_eps_in_each_pixel backends:looks
universal perturbation | visualize.universal_perturbation |
    test_visualize::test_a_universal_change_fools_most_and_stays_in_its_ball backends:looks
fooling images | visualize.fooling_image |
    test_visualize::test_a_fooling_image_is_taken_for_its_class backends:looks
loss-surface slices | visualize.loss_surface visualize.loss_line |
    test_visualize_training::test_a_slice_of_a_quadratic_is_its_parabola backends:landscape
optimizer races on a 2-D surface | visualize.race |
    test_visualize_training::test_descent_on_a_quadratic_goes_by_the_powers_of_its_rate
    backends:landscape
dropout and layer-removal ablations | visualize.layer_ablation visualize.dropout_ablation |
    test_visualize_training::test_removed_layers_hand_on_their_input_or_nothing backends:landscape
translation, scale, rotation invariance | visualize.invariance |
    test_visualize_training::test_a_global_pool_does_not_see_where backends:looks
VAE manifold | visualize.manifold |
    test_visualize_views::test_a_manifold_lies_at_the_quantiles_of_the_prior backends:codes
GAN 1-D steps | visualize.gan_snapshot |
    test_visualize_views::test_a_snapshot_of_a_perfect_gan_has_one_half_everywhere backends:codes
""",
    "recipes": """
overfit 20 examples to zero loss | training.Trainer |
    test_teaches::test_twenty_examples_are_learnt_by_heart backends:trainer
shuffle | data.DataLoader |
    test_data::test_each_epoch_has_an_order_of_its_own_that_depends_on_the_seed
    test_data::test_batches_move_to_a_backend_and_are_the_same_on_all
track loss and first-layer features | training.CsvLog visualize.plot_filters |
    test_train::test_a_csv_log_has_a_line_for_each_epoch
hyper-parameter search | training.grid_search training.random_search |
    test_teaches_tools::test_searches_find_the_least_cost
average models | nn.average_models nn.MovingAverage |
    test_teaches_tools::test_averaged_models_have_the_mean_weights
    test_teaches_tools::test_a_moving_average_follows backends:averages
""",
    "speed": """
loops against vectorised against BLAS | backends.available |
    test_conformance::test_the_two_first_backends_are_available
parallel training | set_num_threads | test_threads::test_results_do_not_depend_on_it
""",
}  # fmt: skip
