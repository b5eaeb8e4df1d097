/* Policy losses by seeded random search: gradients against central differences for every loss type, clipping, identity
 * of policies, and types that are each other's special case. */
#include "golden_json.h"

#include "base/random.h"
#include "rl/loss.h"

enum { B = 3, TOKENS = 12 };
static const rein_loss_type last_type = REIN_LOSS_DRO;

/* Three sequences of 4, 3 and 5 tokens, one of them masked out here and there. Log-probs are multiples of 2^-12 in
 * [-4, 0), so that steps of 2^-12 are exact in f32. */
typedef struct fixture {
    rein_loss_options opt;
    rein_loss_divisors div;
    int64_t offset[B + 1];
    float logp[TOKENS], old_logp[TOKENS], ref_logp[TOKENS], entropy[TOKENS], sampling_logp[TOKENS];
    float dlogp[TOKENS], dentropy[TOKENS];
    double advantage[TOKENS], is_weight[TOKENS];
    uint8_t mask[TOKENS], chosen[TOKENS];
    rein_loss_row row[B];
    uint32_t draw, trial;
} fixture;

/* The next number of the trial in [low, high). */
static double next(fixture *f, double low, double high) {
    return low + (high - low) * rein_random_uniform(5, REIN_STREAM_TASK, f->trial, f->draw++, 0, 0);
}

static float grid(double x) { return (float)(floor(x * 4096) / 4096); }

static void random_options(fixture *f, rein_loss_type type) {
    rein_loss_options *o = &f->opt;
    *o = rein_loss_options_default();
    o->loss_type = type;
    o->epsilon = next(f, 0.05, 0.5);
    o->epsilon_high = next(f, 0.05, 0.8);
    if (type == REIN_LOSS_CISPO) o->epsilon_high = next(f, 0.8, 1.5);
    o->beta = next(f, 0, 1) < 0.5 ? 0 : next(f, 0.01, 0.5);
    o->kl_estimator = (rein_kl_estimator)(int)next(f, 0, REIN_KL_PLUS);
    o->use_bias_correction_kl = next(f, 0, 1) < 0.5;
    o->clip_ratio_c = next(f, 1.2, 2);
    o->off_policy_mask_threshold = next(f, 0, 1) < 0.5 ? 0 : next(f, 0.01, 0.3);
    bool levels = type <= REIN_LOSS_VESPO;
    if (levels && next(f, 0, 1) < 0.5) o->importance_sampling_level = REIN_LEVEL_SEQUENCE;
    if (type == REIN_LOSS_LUSPO) o->importance_sampling_level = REIN_LEVEL_SEQUENCE;
    bool two_sided = (type <= REIN_LOSS_DAPO || type == REIN_LOSS_LUSPO || type == REIN_LOSS_GSPO);
    if (two_sided && next(f, 0, 1) < 0.5) o->delta = next(f, 1.1, 1.5);
    assert_int_equal(rein_loss_options_check(o), REIN_OK);
    f->div = (rein_loss_divisors){.policy = next(f, 0.5, 3), .entropy = next(f, 0.1, 1)};
}

static void fixture_init(fixture *f, rein_loss_type type, uint32_t trial) {
    *f = (fixture){.trial = trial, .offset = {0, 4, 7, 12}};
    random_options(f, type);
    for (int t = 0; t < TOKENS; t++) {
        f->logp[t] = grid(next(f, -3.5, -0.5));
        f->old_logp[t] = f->logp[t] + grid(next(f, -0.5, 0.5));
        f->ref_logp[t] = f->logp[t] + grid(next(f, -0.5, 0.5));
        f->sampling_logp[t] = f->old_logp[t] + grid(next(f, -0.3, 0.3));
        f->entropy[t] = grid(next(f, 0, 3));
        f->advantage[t] = next(f, -2, 2);
        f->is_weight[t] = next(f, 0.3, 1.7);
        f->mask[t] = next(f, 0, 1) < 0.85;
        f->chosen[t] = next(f, 0, 1) < 0.7;
    }
}

static double loss_of(fixture *f) {
    rein_loss_batch batch = {.B = B,
                             .offset = f->offset,
                             .logp = f->logp,
                             .old_logp = f->old_logp,
                             .ref_logp = f->ref_logp,
                             .entropy = f->entropy,
                             .sampling_logp = f->sampling_logp,
                             .mask = f->mask,
                             .chosen = f->chosen,
                             .advantage = f->advantage,
                             .is_weight = f->is_weight};
    rein_loss_metrics m;
    if (rein_loss_policy(f->row, f->dlogp, f->dentropy, &batch, &f->opt, &f->div) != REIN_OK)
        fail_msg("%s", rein_error_message());
    rein_loss_finish(&m, f->row, B, &f->opt);
    return m.loss;
}

/* Types whose factor of logp is held constant: moving old_logp along holds it in the difference, too. */
static bool holds_ratio(rein_loss_type type) {
    return type == REIN_LOSS_CISPO || type == REIN_LOSS_VESPO || type == REIN_LOSS_VERL_CISPO ||
           type == REIN_LOSS_DPPO_TV || type == REIN_LOSS_DPPO_KL;
}

/* The loss with logp[t] moved by h, and old_logp[t], too, where the ratio is held. */
static double moved(fixture *f, int t, float h) {
    float logp = f->logp[t], old = f->old_logp[t];
    f->logp[t] += h;
    if (holds_ratio(f->opt.loss_type)) f->old_logp[t] += h;
    double loss = loss_of(f);
    f->logp[t] = logp;
    f->old_logp[t] = old;
    return loss;
}

/* 1 where it was compared, 0 at a kink: the slopes on both sides differ by more than curvature explains. */
static int check_token(fixture *f, int t, double here, float gradient) {
    const float h = 0x1p-12f;
    double up = moved(f, t, h), down = moved(f, t, -h), left = (here - down) * 0x1p12, right = (up - here) * 0x1p12;
    if (fabs(left - right) > 0.01 * (1 + fabs(left))) return 0;
    golden_near(gradient, (left + right) / 2, 1e-6, "dlogp", "central difference");
    return 1;
}

static void test_gradient(void **state) {
    (void)state;
    static fixture f;
    int compared = 0, kinks = 0;
    for (int type = 0; type <= (int)last_type; type++) {
        if (type == REIN_LOSS_GSPO_TOKEN) continue; /* its gradient is that of no function: see test_gspo_token */
        for (uint32_t trial = 0; trial < 48; trial++) {
            float dlogp[TOKENS];
            fixture_init(&f, (rein_loss_type)type, (uint32_t)type * 1000 + trial);
            if (holds_ratio(f.opt.loss_type)) f.opt.use_bias_correction_kl = false;
            double here = loss_of(&f);
            memcpy(dlogp, f.dlogp, sizeof dlogp);
            for (int t = 0; t < TOKENS; t++) {
                int done = check_token(&f, t, here, dlogp[t]);
                compared += done;
                kinks += !done;
            }
        }
    }
    assert_true(compared > 10000 && kinks < compared / 50);
}

/* The bonus is linear in the entropies: any step will do. */
static void test_entropy_gradient(void **state) {
    (void)state;
    static fixture f;
    for (uint32_t trial = 0; trial < 1000; trial++) {
        float dentropy[TOKENS];
        fixture_init(&f, REIN_LOSS_GRPO, trial);
        if (trial % 2) f.opt.top_entropy_quantile = 0.5; /* f.chosen stands for the choice */
        double here = loss_of(&f);
        memcpy(dentropy, f.dentropy, sizeof dentropy);
        for (int t = 0; t < TOKENS; t++) {
            f.entropy[t] += 1;
            golden_near(dentropy[t], loss_of(&f) - here, 1e-6, "dentropy", "difference");
            f.entropy[t] -= 1;
        }
    }
}

/* With one advantage a sequence, gspo's token form has gspo's gradient (paper, section 4.3). */
static void test_gspo_token(void **state) {
    (void)state;
    static fixture a, b;
    for (uint32_t trial = 0; trial < 10000; trial++) {
        fixture_init(&a, REIN_LOSS_GSPO, trial);
        a.opt.beta = a.opt.delta = 0;
        for (int i = 0; i < B; i++)
            for (int64_t t = a.offset[i]; t < a.offset[i + 1]; t++) {
                a.advantage[t] = a.advantage[a.offset[i]];
                a.is_weight[t] = a.chosen[t] = 1;
            }
        b = a;
        b.opt.loss_type = REIN_LOSS_GSPO_TOKEN;
        golden_near(loss_of(&b), loss_of(&a), 1e-7, "loss", "gspo_token");
        for (int t = 0; t < TOKENS; t++) golden_near(b.dlogp[t], a.dlogp[t], 1e-7, "dlogp", "gspo_token");
    }
}

/* gspo is grpo at sequence level: the same bits. */
static void test_gspo(void **state) {
    (void)state;
    static fixture a, b;
    for (uint32_t trial = 0; trial < 1000; trial++) {
        fixture_init(&a, REIN_LOSS_GSPO, trial);
        b = a;
        b.opt.loss_type = REIN_LOSS_GRPO;
        b.opt.importance_sampling_level = REIN_LEVEL_SEQUENCE;
        assert_true(loss_of(&a) == loss_of(&b));
        assert_memory_equal(a.dlogp, b.dlogp, sizeof a.dlogp);
    }
}

/* One token: the gradient is exactly 0 where the ratio has left the range on the side that the advantage pushes to, and
 * -A r elsewhere. */
static void test_clipped_is_zero(void **state) {
    (void)state;
    static fixture f;
    int clipped = 0;
    for (uint32_t trial = 0; trial < 10000; trial++) {
        fixture_init(&f, trial % 2 ? REIN_LOSS_DAPO : REIN_LOSS_RLOO, trial);
        memset(f.mask, 0, sizeof f.mask);
        f.mask[0] = f.chosen[0] = 1;
        f.is_weight[0] = f.div.policy = 1;
        f.opt.beta = f.opt.delta = f.opt.off_policy_mask_threshold = 0;
        loss_of(&f);
        double a = f.advantage[0], r = exp((double)f.logp[0] - (double)f.old_logp[0]);
        bool out = a > 0 ? r > 1 + f.opt.epsilon_high : r < 1 - f.opt.epsilon;
        golden_near(f.dlogp[0], out ? 0 : -a * r, 1e-7, "dlogp", "clip");
        assert_true(!out || f.dlogp[0] == 0);
        assert_true(f.row[0].low + f.row[0].high == (double)out);
        clipped += out;
    }
    assert_true(clipped > 1000 && clipped < 9000);
}

/* The same policy everywhere: ratio 1, log-ratio 0 and KL 0, not nearly but exactly, and nothing is clipped. */
static void test_identity(void **state) {
    (void)state;
    static fixture f;
    for (uint32_t trial = 0; trial < 10000; trial++) {
        fixture_init(&f, (rein_loss_type)(trial % ((uint32_t)last_type + 1)), trial);
        memcpy(f.old_logp, f.logp, sizeof f.logp);
        memcpy(f.ref_logp, f.logp, sizeof f.logp);
        memcpy(f.sampling_logp, f.logp, sizeof f.logp);
        memset(f.chosen, 1, sizeof f.chosen);
        for (int t = 0; t < TOKENS; t++) f.is_weight[t] = 1;
        if (f.opt.loss_type == REIN_LOSS_CISPO) f.opt.epsilon_high = 1.5;
        loss_of(&f);
        rein_loss_metrics m;
        rein_loss_finish(&m, f.row, B, &f.opt);
        assert_true(m.ratio_max_deviation == 0 && (m.ratio_mean == 1 || m.tokens == 0));
        assert_true(m.kl == 0 && m.log_ratio_mean == 0 && m.gap_max == 0 && m.off_policy_fraction == 0);
        assert_true(m.region_mean == 0 && m.lower_mean == 0 && m.nonfinite == 0);
    }
}

static void test_kl_is_not_negative(void **state) {
    (void)state;
    static fixture f;
    for (uint32_t trial = 0; trial < 10000; trial++) {
        f.trial = trial;
        f.draw = 0;
        double logp = next(&f, -20, 0), ref = trial % 2 ? next(&f, -20, 0) : logp + next(&f, -1e-6, 1e-6);
        for (int e = REIN_KL_K1; e <= REIN_KL_LOW_VAR_PLUS; e++) {
            double value = rein_kl_value((rein_kl_estimator)e, logp, ref);
            bool signed_one = e == REIN_KL_K1 || e == REIN_KL_K1_PLUS;
            assert_true(signed_one ? value == logp - ref : logp == ref ? value == 0 : value > 0);
            assert_true(rein_kl_value((rein_kl_estimator)e, logp, logp) == 0);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradient),           cmocka_unit_test(test_entropy_gradient),
        cmocka_unit_test(test_gspo_token),         cmocka_unit_test(test_gspo),
        cmocka_unit_test(test_clipped_is_zero),    cmocka_unit_test(test_identity),
        cmocka_unit_test(test_kl_is_not_negative),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
