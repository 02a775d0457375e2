/* SPDX-License-Identifier: Apache-2.0 */
/* R10(M, 3) is M(30) ... M(39), R10(M, ) is M(0) ... M(9); R64 and the rest count from 0. */
#define R10(M, p) M(p##0) M(p##1) M(p##2) M(p##3) M(p##4) M(p##5) M(p##6) M(p##7) M(p##8) M(p##9)
#define R4(M) M(0) M(1) M(2) M(3)
#define R8(M) R4(M) M(4) M(5) M(6) M(7)
#define R16(M) R10(M, ) M(10) M(11) M(12) M(13) M(14) M(15)
#define R22(M) R10(M, ) R10(M, 1) M(20) M(21)
#define R28(M) R22(M) M(22) M(23) M(24) M(25) M(26) M(27)
#define R64(M) R10(M, ) R10(M, 1) R10(M, 2) R10(M, 3) R10(M, 4) R10(M, 5) M(60) M(61) M(62) M(63)
#define R80(M) R64(M) M(64) M(65) M(66) M(67) M(68) M(69) R10(M, 7)
#define R82(M) R80(M) M(80) M(81)
#define R84(M) R82(M) M(82) M(83)
#define R100(M) R84(M) M(84) M(85) M(86) M(87) M(88) M(89) R10(M, 9)
#define R128(M) R100(M) R10(M, 10) R10(M, 11) M(120) M(121) M(122) M(123) M(124) M(125) M(126) M(127)
