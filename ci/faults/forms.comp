#version 450
// SPDX-License-Identifier: Apache-2.0
// dst = a + 3 b + plus, its buffers bound, or (ADDRESSES) reached through addresses.
#extension GL_EXT_buffer_reference : enable
layout(local_size_x = 64) in;
#ifdef ADDRESSES
layout(buffer_reference, std430) buffer Words { uint w[]; };
layout(push_constant) uniform Args { uint n, plus; Words a, b, dst; };
#define A a.w
#define B b.w
#define DST dst.w
#else
layout(set = 0, binding = 0) readonly buffer BufferA { uint A[]; };
layout(set = 0, binding = 1) readonly buffer BufferB { uint B[]; };
layout(set = 0, binding = 2) buffer BufferDst { uint DST[]; };
layout(push_constant) uniform Args { uint n, plus; };
#endif
void main()
{
    uint i = gl_GlobalInvocationID.x;
    if (i < n)
        DST[i] = A[i] + 3u * B[i] + plus;
}
