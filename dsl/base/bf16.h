// Numbers of bf16, a float's upper half: 8 significant bits.
#ifndef CALM_DSL_BASE_BF16_H
#define CALM_DSL_BASE_BF16_H

// The number of bf16 nearest to x (to the float nearest to x), of two as near the even one; infinite where there is none so large. A NaN stays one.
double bf16_nearest(double x);
#endif
